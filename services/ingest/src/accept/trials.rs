//! Trials that take the source's cooperation: somebody commits a row late, changes the order, or changes a column, and the
//! suite looks at how the connector takes it.

use std::collections::BTreeMap;

use domain::sources::AcceptanceTrial;

use super::reading::{Reading, difference, readable, told};
use super::{Baseline, Suite};

const LATE: &str = "late_commits_come";
const UNSORTED: &str = "another_order_loses_nothing";
const DRIFT: &str = "schema_drift_is_told";

const NO_CURSORS: &str = "the source keeps no cursors and is read whole each time";

impl Suite<'_> {
    /// Says which trials there are beside the suite.
    pub(super) fn trials_ahead(&mut self, is_incremental: bool) {
        let ask = |option: &str, what: &str| {
            format!("takes the source's cooperation: give `--{option} COMMAND`, a command that {what}")
        };
        match is_incremental {
            true => self.skipped(
                LATE,
                ask(
                    "late-commit",
                    "commits one row whose cursor value others have passed already",
                ),
            ),
            false => self.skipped(LATE, NO_CURSORS),
        }
        self.skipped(
            UNSORTED,
            ask("unsorted", "makes the source give the same rows in another order"),
        );
        self.skipped(
            DRIFT,
            ask(
                "schema-drift",
                "renames or drops a column that is read, or changes its type",
            ),
        );
    }

    /// Runs one trial. What the source holds after it, for the next trial to compare with; none where that is not known
    /// or no longer makes sense.
    pub async fn trial(&mut self, trial: AcceptanceTrial, baseline: &Baseline) -> Option<Baseline> {
        match trial {
            AcceptanceTrial::Suite => None,
            AcceptanceTrial::LateCommit => self.late_commit(baseline).await,
            AcceptanceTrial::Unsorted => self.unsorted(baseline).await,
            AcceptanceTrial::SchemaDrift => {
                self.schema_drift(baseline).await;
                None
            }
        }
    }

    async fn again(&self, cursors: BTreeMap<String, String>) -> domain::ports::Result<Reading> {
        let connector = (self.open)()?;
        self.read(connector.as_ref(), cursors, None).await
    }

    /// Reading on from where the suite came to, the late row is there; and nothing that a whole reading has is missing.
    async fn late_commit(&mut self, baseline: &Baseline) -> Option<Baseline> {
        if baseline.cursors.is_empty() {
            self.skipped(LATE, NO_CURSORS);
            return None;
        }
        let tried = async {
            let on = self.again(baseline.cursors.clone()).await?;
            let whole = self.again(BTreeMap::new()).await?;
            domain::ports::Result::Ok((on.rows(), Baseline::from(&whole)))
        };
        let (on, whole) = match tried.await {
            Ok(both) => both,
            Err(e) => {
                self.judge(LATE, Some(told(&e)), "");
                return None;
            }
        };
        let is_new = |(key, content): &(&String, &String)| baseline.rows.get(*key) != Some(content);
        let came = on.iter().filter(is_new).count();
        let mut both = baseline.rows.clone();
        both.extend(on);
        let problem = if whole.rows == baseline.rows {
            Some("the source holds what it held before: the command committed nothing".to_owned())
        } else {
            difference(&whole.rows, &both).map(|d| {
                format!("reading on from the cursor, {d}; raise the look-back above the longest delay")
            })
        };
        self.judge(
            LATE,
            problem,
            format!("{came} rows came that were committed late"),
        );
        Some(whole)
    }

    /// The same rows come in any order, whole and after a cut; or the reading fails and says so.
    async fn unsorted(&mut self, baseline: &Baseline) -> Option<Baseline> {
        let whole = match self.again(BTreeMap::new()).await {
            Err(e) => {
                self.passed(UNSORTED, format!("it refuses: {}", told(&e)));
                return Some(Baseline {
                    refused: Some(e.reason),
                    ..baseline.clone()
                });
            }
            Ok(whole) => whole,
        };
        let mut problem = difference(&baseline.rows, &whole.rows());
        if problem.is_none() && !baseline.cursors.is_empty() {
            problem = self.cut(&baseline.rows, whole.steps.len()).await.err();
        }
        self.judge(UNSORTED, problem, "the same rows came");
        Some(Baseline::from(&whole))
    }

    /// Reading on or anew fails, rejects rows, or tells of the column; it never gives other rows as if nothing had
    /// happened. What was rejected and told before the change is no answer to it.
    async fn schema_drift(&mut self, baseline: &Baseline) {
        let tried = async {
            // What a connector keeps of the columns with its cursor it can compare only when it goes on.
            let on = match baseline.cursors.is_empty() {
                true => Reading::default(),
                false => self.again(baseline.cursors.clone()).await?,
            };
            let whole = self.again(BTreeMap::new()).await?;
            domain::ports::Result::Ok((on, whole))
        };
        let (on, whole) = match tried.await {
            Ok(both) => both,
            Err(e) if baseline.refused == Some(e.reason) => {
                let why = "since the trial before it the source is refused anyway; run this trial by itself";
                return self.skipped(DRIFT, format!("{why}: {}", told(&e)));
            }
            Err(e) => return self.passed(DRIFT, format!("it refuses: {}", told(&e))),
        };
        let new: Vec<String> = on
            .told
            .union(&whole.told)
            .filter(|known| !baseline.told.contains(*known))
            .map(|(code, place)| format!("{code} {place}"))
            .collect();
        let speaks = new.iter().any(|c| c.contains("COLUMN") || c.contains("DRIFT"));
        let rejected = whole.rejected.saturating_sub(baseline.rejected);
        let rows = whole.rows();
        let differs = baseline
            .rows
            .iter()
            .find(|(key, content)| rows.get(*key) != Some(content));
        let problem = match (rejected > 0 || speaks, differs) {
            (true, _) => None,
            (false, Some((key, _))) => Some(format!(
                "{} is another row now, and nothing was said of any column",
                readable(key)
            )),
            (false, None) => Some(
                "nothing was said and no row differs: did the command change a column that is read?"
                    .to_owned(),
            ),
        };
        let well = format!("{rejected} more rows rejected; told anew: {}", new.join(", "));
        self.judge(DRIFT, problem, well);
    }
}
