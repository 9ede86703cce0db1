//! The checks, and how they make one answer.

mod agreement;
mod channel;
mod lists;
mod orders;
mod price;
mod relations;
mod threshold;

use chrono::{Days as ChronoDays, FixedOffset, NaiveDate, NaiveTime, TimeDelta};
use domain::Bilingual;
use domain::screening::{CheckKind, CheckResult, Reason, ScreenRequest, Screening, Verdict};

use crate::answer::{not_computed, result};
use crate::identity::{Identified, Standing, identify};
use crate::index::{Index, applicable};
use crate::input::{BranchLink, DatasetState};
use crate::settings::Staleness;

/// What every check is given.
pub(crate) struct Question<'a> {
    pub index: &'a Index,
    pub request: &'a ScreenRequest,
    pub as_of: NaiveDate,
    pub standing: Standing,
}

impl<'a> Question<'a> {
    /// The party and those that are one legal person with it; the link that makes them so.
    pub fn one_person(&self, at: u32) -> Vec<(&'a str, Option<&'a BranchLink>)> {
        let own = &*self.index.party(at).party_id;
        let links = self.index.branches.of(own);
        std::iter::once((own, None))
            .chain(links.iter().map(|l| (&*l.other_party_id, Some(l))))
            .collect()
    }

    /// What the hospital's dataset and row say of its province (two digits).
    pub fn province(&self) -> Province<'a> {
        let Some(hospital_id) = &self.request.hospital_id else {
            return Province::NotGiven;
        };
        let region = self
            .index
            .hospital(hospital_id)
            .and_then(|h| h.region_code.as_deref())
            .and_then(|code| code.get(..2));
        region.map_or(Province::Unknown, Province::Known)
    }

    /// Why nothing can be said of the hospital: no row knows it, so that it may be mistyped.
    pub fn unknown_hospital(&self) -> Option<Reason> {
        let hospital_id = self.request.hospital_id.as_deref()?;
        (!self.index.knows_hospital(hospital_id)).then(|| {
            not_computed(
                "HOSPITAL_UNKNOWN",
                format!("数据中没有医疗机构“{hospital_id}”，请核对其编号"),
                format!("no row knows the hospital {hospital_id:?}; see whether its id is right"),
            )
        })
    }

    /// As [`Index::lacking`], each that applies.
    pub fn lacking(&self, datasets: &[&str]) -> Vec<Reason> {
        datasets
            .iter()
            .filter_map(|dataset| self.index.lacking(dataset, self.as_of))
            .collect()
    }
}

/// Where the hospital is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Province<'a> {
    NotGiven,
    Unknown,
    Known(&'a str),
}

/// Makes the whole answer.
pub(crate) fn screen(index: &Index, request: &ScreenRequest) -> Screening {
    let who = identify(index, &request.subject);
    let question = Question {
        index,
        request,
        as_of: request.as_of,
        standing: who.standing,
    };
    let (mut checks, mut not_asked) = (Vec::new(), Vec::new());
    for kind in CheckKind::ALL {
        let lacks = applicable(request, kind);
        if request.checks.is_empty() {
            match lacks {
                Some((zh, en)) => not_asked.push((kind, Bilingual::new(zh, en))),
                None => checks.push(check(kind, &question, &who)),
            }
        } else if request.checks.contains(&kind) {
            checks.push(match lacks {
                Some((zh, en)) => result(kind, vec![not_computed("FACTS_NOT_GIVEN", zh, en)]),
                None => check(kind, &question, &who),
            });
        }
    }
    let verdict = checks
        .iter()
        .map(|c| c.verdict)
        .max()
        .unwrap_or(Verdict::NotComputed);
    let complete = !checks.is_empty()
        && checks
            .iter()
            .flat_map(|c| &c.reasons)
            .all(|r| r.verdict != Verdict::NotComputed);
    Screening {
        reference: request.reference.clone(),
        snapshot: index.snapshot,
        as_of: request.as_of,
        verdict,
        complete,
        party: who.party,
        candidates: who.candidates,
        checks,
        not_asked,
    }
}

fn check(kind: CheckKind, question: &Question<'_>, who: &Identified) -> CheckResult {
    let mut reasons = match kind {
        CheckKind::Identity => identity_reasons(question, who),
        CheckKind::Lists => lists::check(question),
        CheckKind::Agreement => agreement::check(question),
        CheckKind::Relations => relations::check(question),
        CheckKind::Price => price::check(question),
        CheckKind::Threshold => threshold::check(question),
        CheckKind::Channel => channel::check(question),
    };
    let of_party = matches!(
        kind,
        CheckKind::Lists | CheckKind::Agreement | CheckKind::Relations | CheckKind::Price
    );
    if of_party && who.doubt {
        reasons.push(not_computed(
            "IDENTITY_IN_DOUBT",
            "名称与代码矛盾，先核实主体再判断",
            "name and code contradict each other; find out first who it is",
        ));
    }
    result(kind, reasons)
}

/// The reasons found when identifying, and whether the register could be looked at at all.
fn identity_reasons(question: &Question<'_>, who: &Identified) -> Vec<Reason> {
    let mut reasons = who.reasons.clone();
    if question.index.parties() == 0 {
        reasons.push(not_computed(
            "INPUT_MISSING",
            "缺少数据：尚无任何主体，先同步供应商等数据",
            "no party is known yet; sync suppliers and other datasets first",
        ));
    }
    reasons
}

/// The reason of a check that needs to know the party.
pub(crate) fn undecided() -> Reason {
    not_computed(
        "PARTY_UNDECIDED",
        "主体未能确定，见“主体识别”",
        "who it is could not be decided; see IDENTITY",
    )
}

/// What keeps a dataset from being relied on for a day.
pub(crate) fn lacking(
    dataset: &str,
    state: Option<&DatasetState>,
    columns: &[&str],
    as_of: NaiveDate,
    staleness: &[Staleness],
) -> Option<Reason> {
    let known = domain::dataset(dataset);
    let title = known.as_ref().map_or(dataset.to_owned(), |d| d.title.clone());
    let Some(state) = state else {
        return Some(not_computed(
            "INPUT_MISSING",
            format!("缺少数据：{title}（{dataset}）从未同步"),
            format!("dataset {dataset} was never synced"),
        ));
    };
    if !state.has_rows {
        return Some(not_computed(
            "INPUT_EMPTY",
            format!("数据为空：{title}（{dataset}）没有任何记录"),
            format!("dataset {dataset} has no rows"),
        ));
    }
    if let Some(column) = columns
        .iter()
        .find(|c| state.empty_columns.iter().any(|e| &**e == **c))
    {
        let label = known
            .as_ref()
            .and_then(|d| d.column(column).map(|c| c.label().to_owned()))
            .unwrap_or_else(|| (*column).to_owned());
        return Some(not_computed(
            "COLUMN_EMPTY",
            format!("字段为空：{title}的“{label}”（{dataset}.{column}）在所有记录中均为空"),
            format!("column {dataset}.{column} is null in every row"),
        ));
    }
    let limit = staleness.iter().find(|s| s.dataset == dataset)?;
    let synced = state.last_synced?;
    let age = end_of_day(as_of)?.to_utc() - synced;
    (age > TimeDelta::days(limit.days_max.into())).then(|| {
        let days = age.num_days();
        not_computed(
            "INPUT_STALE",
            format!("数据过期：{title}（{dataset}）距 {as_of} 日终已有 {days} 天未同步，上限为 {} 天", limit.days_max),
            format!(
                "dataset {dataset} was last synced {days} days before the end of {as_of}; the limit is {} days",
                limit.days_max
            ),
        )
    })
}

/// The end of a day in China.
fn end_of_day(day: NaiveDate) -> Option<chrono::DateTime<FixedOffset>> {
    let china = FixedOffset::east_opt(8 * 3600)?;
    day.checked_add_days(ChronoDays::new(1))?
        .and_time(NaiveTime::MIN)
        .and_local_timezone(china)
        .single()
}

/// The day so many years later, the last of its month where the day does not exist.
pub(crate) fn years_later(day: NaiveDate, years: u32) -> NaiveDate {
    day.checked_add_months(chrono::Months::new(12 * years))
        .unwrap_or(NaiveDate::MAX)
}
