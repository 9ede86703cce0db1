//! Trials that take the source's cooperation: somebody commits a row late, changes the order, or changes a column, and the
//! suite looks at how the connector takes it.

use std::collections::BTreeMap;

use domain::sources::AcceptanceTrial;

use super::reading::{Reading, difference, readable, told};
use super::{Baseline, Suite};

const LATE: &str = "late_commits_come";
const UNSORTED: &str = "another_order_loses_nothing";
const DRIFT: &str = "schema_drift_is_told";

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
            false => self.skipped(LATE, "the source keeps no cursors and is read whole each time"),
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

    pub async fn trial(&mut self, trial: AcceptanceTrial, baseline: &Baseline) {
        match trial {
            AcceptanceTrial::Suite => {}
            AcceptanceTrial::LateCommit => self.late_commit(baseline).await,
            AcceptanceTrial::Unsorted => self.unsorted(baseline).await,
            AcceptanceTrial::SchemaDrift => self.schema_drift(baseline).await,
        }
    }

    async fn again(&self, cursors: BTreeMap<String, String>) -> domain::ports::Result<Reading> {
        let connector = (self.open)()?;
        self.read(connector.as_ref(), cursors, None).await
    }

    /// Reading on from where the suite came to, the late row is there; and nothing that a whole reading has is missing.
    async fn late_commit(&mut self, baseline: &Baseline) {
        let tried = async {
            let on = self.again(baseline.cursors.clone()).await?;
            let whole = self.again(BTreeMap::new()).await?;
            domain::ports::Result::Ok((on.rows(), whole.rows()))
        };
        let (problem, found) = match tried.await {
            Err(e) => (Some(told(&e)), 0),
            Ok((on, whole)) => {
                let is_new = |(key, content): &(&String, &String)| baseline.rows.get(*key) != Some(content);
                let came = on.iter().filter(is_new).count();
                let mut both = baseline.rows.clone();
                both.extend(on);
                let problem = if whole == baseline.rows {
                    Some("the source holds what it held before: the command committed nothing".to_owned())
                } else {
                    difference(&whole, &both).map(|d| {
                        format!(
                            "reading on from the cursor, {d}; raise the look-back above the longest delay"
                        )
                    })
                };
                (problem, came)
            }
        };
        self.judge(
            LATE,
            problem,
            format!("{found} rows came that were committed late"),
        );
    }

    /// The same rows come in any order, whole and after a cut; or the reading fails and says so.
    async fn unsorted(&mut self, baseline: &Baseline) {
        let whole = match self.again(BTreeMap::new()).await {
            Err(e) => {
                self.passed(UNSORTED, format!("it refuses: {}", told(&e)));
                return;
            }
            Ok(whole) => whole,
        };
        let mut problem = difference(&baseline.rows, &whole.rows());
        if problem.is_none() && !baseline.cursors.is_empty() {
            problem = self.cut(&baseline.rows, whole.steps.len()).await.err();
        }
        self.judge(UNSORTED, problem, "the same rows came");
    }

    /// The reading fails, rejects rows, or tells of the column; it never gives other rows as if nothing had happened.
    async fn schema_drift(&mut self, baseline: &Baseline) {
        let (problem, well) = match self.again(BTreeMap::new()).await {
            Err(e) => (None, format!("it refuses: {}", told(&e))),
            Ok(read) => {
                let rows = read.rows();
                let codes: Vec<&str> = read.told.iter().map(String::as_str).collect();
                let differs = baseline
                    .rows
                    .iter()
                    .find(|(key, content)| rows.get(*key) != Some(content))
                    .map(|(key, _)| readable(key));
                let speaks = codes.iter().any(|c| c.contains("COLUMN") || c.contains("DRIFT"));
                match (read.rejected > 0, speaks, differs) {
                    (false, false, Some(key)) => (
                        Some(format!("{key} is another row now, and nothing was said of any column")),
                        String::new(),
                    ),
                    (false, false, None) => (
                        Some("nothing was said and no row differs: did the command change a column that is read?".to_owned()),
                        String::new(),
                    ),
                    (_, _, _) => (
                        None,
                        format!("{} rows rejected; told: {}", read.rejected, codes.join(", ")),
                    ),
                }
            }
        };
        self.judge(DRIFT, problem, well);
    }
}
