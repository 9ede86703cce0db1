//! LISTS: bribery listings, credit ratings, penalties and judgements.
//!
//! A listing bans in its province for two years, a second one within five years nationwide
//! (国卫法制发〔2013〕50号), as the rule SUP-04 has it: intervals are half open, an expiry that the register states
//! goes before the two years, and what holds of a parent holds of its branches.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::screening::{Reason, Verdict};

use super::{Province, Question, undecided, years_later};
use crate::answer::{Days, ReasonExt, clean, day, hit, not_computed};
use crate::identity::Standing;
use crate::input::{CreditRecord, RowRef};

const LAW_BAN: &str = "关于建立医药购销领域商业贿赂不良记录的规定（国卫法制发〔2013〕50号）";
const LAW_RATING: &str = "关于建立医药价格和招采信用评价制度的指导意见（医保发〔2020〕34号）";
const LAW_PENALTY: &str = "政府采购法第22条；政府采购法实施条例第19条";

/// A record, and the link through which it holds.
#[derive(Clone, Copy)]
struct Held<'a> {
    record: &'a CreditRecord,
    /// The row of the link, when a row states it.
    link: Option<&'a RowRef>,
    through: Option<&'a str>,
}

impl<'a> Held<'a> {
    fn rows(&self) -> impl Iterator<Item = &'a RowRef> + use<'a> {
        std::iter::once(&self.record.row).chain(self.link)
    }

    fn province(&self) -> Option<&'a str> {
        self.record.region_code.as_deref().and_then(|c| c.get(..2))
    }
}

pub(crate) fn check(question: &Question<'_>) -> Vec<Reason> {
    let mut reasons = question.lacking(&["credit_records"]);
    let at = match question.standing {
        Standing::Known(at) => at,
        Standing::Undecided => {
            reasons.push(undecided());
            return reasons;
        }
        Standing::Unknown => {
            if reasons.is_empty() {
                reasons.push(clean(
                    "NOT_LISTED",
                    "各名单中没有该代码或名称",
                    "no list carries this code or name",
                ));
            }
            return reasons;
        }
    };
    let held = held(question, at);
    let known: Vec<Held<'_>> = held
        .iter()
        .copied()
        .filter(|h| h.record.issued_on.is_some_and(|d| d <= question.as_of))
        .collect();
    reasons.extend(unreadable(&held));
    reasons.extend(bans(question, &known));
    reasons.extend(ratings(question, &known));
    reasons.extend(penalties(question, &known));
    if reasons.iter().all(|r| r.verdict == Verdict::Clean) && !reasons.iter().any(|r| r.code == "NOT_LISTED")
    {
        reasons.push(clean(
            "NOT_LISTED",
            format!("{} 当日没有在有效期内的不良记录", question.as_of),
            format!("no listing is in force on {}", question.as_of),
        ));
    }
    reasons
}

/// The party's records and those of its parent and branches while the link lasts.
fn held<'a>(question: &Question<'a>, at: u32) -> Vec<Held<'a>> {
    let ban_years = question.index.settings.ban_years;
    let mut held = Vec::new();
    for (party_id, link) in question.one_person(at) {
        for record in question.index.credit_records.of(party_id) {
            // A link that began when the ban was over, or ended before the listing, carries nothing.
            let carries = link.is_none_or(|l| {
                record.issued_on.is_none_or(|issued| {
                    l.since.is_none_or(|s| s < years_later(issued, ban_years))
                        && l.until.is_none_or(|u| u > issued)
                })
            });
            if carries {
                held.push(Held {
                    record,
                    link: link.and_then(|l| l.row.as_ref()),
                    through: link.map(|_| party_id),
                });
            }
        }
    }
    held.sort_by(|a, b| (a.record.issued_on, &a.record.row).cmp(&(b.record.issued_on, &b.record.row)));
    held
}

/// Records that do not say when or what.
fn unreadable(held: &[Held<'_>]) -> Vec<Reason> {
    held.iter()
        .filter(|h| h.record.issued_on.is_none() || h.record.record_type.is_none())
        .map(|h| {
            let key = &h.record.row.key;
            not_computed(
                "RECORD_INCOMPLETE",
                format!("记录 {key} 缺少类型或发布日期，无法判断是否仍有效"),
                format!("record {key} lacks its type or date; whether it is in force cannot be told"),
            )
            .citing(h.rows())
        })
        .collect()
}

/// When a listing bans.
fn ban_days(record: &CreditRecord, issued: NaiveDate, ban_years: u32) -> Days {
    let until = record
        .expires_on
        .unwrap_or_else(|| years_later(issued, ban_years));
    Days::new(Some(issued), Some(until))
}

fn bans(question: &Question<'_>, known: &[Held<'_>]) -> Vec<Reason> {
    let settings = &question.index.settings;
    let listings: Vec<(Held<'_>, NaiveDate)> = known
        .iter()
        .filter(|h| h.record.record_type.as_deref() == Some("bribery_blacklist"))
        .filter_map(|h| Some((*h, h.record.issued_on?)))
        .collect();
    let mut reasons = Vec::new();
    for (listing, issued) in &listings {
        let days = ban_days(listing.record, *issued, settings.ban_years);
        let earlier = listings.iter().find(|(other, at)| {
            other.record.row.key != listing.record.row.key
                && at <= issued
                && *issued <= years_later(*at, settings.repeat_years)
                // One listing entered twice is one.
                && (at != issued || other.province() != listing.province())
        });
        reasons.push(ban(question, listing, *issued, days, earlier.map(|(h, _)| h)));
    }
    reasons
}

fn ban(
    question: &Question<'_>,
    listing: &Held<'_>,
    issued: NaiveDate,
    days: Days,
    earlier: Option<&Held<'_>>,
) -> Reason {
    let until = day(days.to);
    let whose = match listing.through {
        Some(_) => ("（总公司或分支机构）", " (its parent or branch)"),
        None => ("", ""),
    };
    let rows = listing.rows().chain(earlier.into_iter().flat_map(Held::rows));
    if !days.contain(question.as_of) {
        return clean(
            "BAN_ENDED",
            format!("{issued} 列入的不良记录{}已于 {} 期满", whose.0, until.0),
            format!("the listing of {issued}{} ended on {}", whose.1, until.1),
        )
        .citing(rows)
        .holding(days);
    }
    let found = |code, zh: String, en: String| {
        hit(code, zh, en)
            .because_lawful(
                "列入前已签合同的履行，或已依法移出、撤销列入；无替代的急抢救药品经批准采购",
                "Delivery under a contract signed before, a listing that was lifted, or an irreplaceable emergency drug bought with approval",
            )
            .under(LAW_BAN)
            .citing(rows)
            .holding(days)
    };
    if earlier.is_some() {
        return found(
            "BANNED_NATIONWIDE",
            format!(
                "五年内两次列入商业贿赂不良记录{}，自 {issued} 至 {}（不含）全国公立医疗机构不得采购",
                whose.0, until.0
            ),
            format!(
                "listed for bribery twice within five years{}: no public hospital may buy from {issued} to {} (exclusive)",
                whose.1, until.1
            ),
        );
    }
    match (listing.province(), question.province()) {
        (None, _) => not_computed(
            "LISTING_WITHOUT_PROVINCE",
            format!("{issued} 列入的不良记录未注明省份，无法判断是否适用于本院"),
            format!("the listing of {issued} names no province; whether it binds this hospital cannot be told"),
        )
        .citing(listing.rows())
        .holding(days),
        (Some(_), Province::Unknown) => not_computed(
            "HOSPITAL_REGION_UNKNOWN",
            format!("{issued} 有商业贿赂不良记录，但本院行政区划未知，无法判断是否为同省"),
            format!("listed for bribery on {issued}, but the hospital's region is not known"),
        )
        .citing(listing.rows())
        .holding(days),
        (Some(there), Province::Known(here)) if there != here => clean(
            "LISTED_ELSEWHERE",
            format!("{issued} 在其他省份（{there}）列入不良记录{}，本省不禁止采购，评审时扣分", whose.0),
            format!("listed on {issued} in another province ({there}){}: no ban here, but points are deducted in tenders", whose.1),
        )
        .citing(listing.rows())
        .holding(days),
        (Some(there), _) => found(
            "BANNED_IN_PROVINCE",
            format!("{issued} 列入商业贿赂不良记录{}，省份 {there} 的公立医院至 {}（不含）不得采购", whose.0, until.0),
            format!("listed for bribery on {issued}{}: public hospitals of province {there} may not buy until {} (exclusive)", whose.1, until.1),
        ),
    }
}

/// How grave a rating is; `None`: the text says nothing known.
fn gravity(level: &str) -> Option<u8> {
    let level = level.trim();
    [
        ("特别严重", 3),
        ("严重", 2),
        ("中等", 1),
        ("一般", 1),
        ("失信", 1),
        ("良好", 0),
        ("守信", 0),
    ]
    .into_iter()
    .find(|(words, _)| level.contains(words))
    .map(|(_, gravity)| gravity)
}

/// The newest rating of each place; a later one takes the place of an earlier.
fn ratings(question: &Question<'_>, known: &[Held<'_>]) -> Vec<Reason> {
    let mut newest: BTreeMap<(Option<&str>, &str), Held<'_>> = BTreeMap::new();
    for held in known {
        if held.record.record_type.as_deref() == Some("credit_rating") {
            newest.insert((held.province(), &held.record.party_id), *held);
        }
    }
    let in_force = newest.into_values().filter_map(|held| {
        let days = Days::new(held.record.issued_on, held.record.expires_on);
        days.contain(question.as_of).then_some((held, days))
    });
    in_force
        .map(|(held, days)| rating(question, &held, days))
        .collect()
}

fn rating(question: &Question<'_>, held: &Held<'_>, days: Days) -> Reason {
    let level = held.record.level.as_deref().unwrap_or_default();
    let from = day(days.from).0;
    let Some(gravity) = gravity(level) else {
        return not_computed(
            "RATING_UNREADABLE",
            format!("{from} 的信用评价等级“{level}”无法识别"),
            format!("the credit rating of {from} has the unknown level {level:?}"),
        )
        .citing(held.rows())
        .holding(days);
    };
    let elsewhere = match (held.province(), question.province()) {
        (Some(there), Province::Known(here)) => there != here,
        _ => false,
    };
    // The gravest grade is carried over by other provinces for the products concerned.
    if gravity == 3 || gravity == 2 && !elsewhere {
        return hit(
            "CREDIT_SERIOUS",
            format!("医药价格和招采信用评价为“{level}”（{from} 起）"),
            format!("rated {level:?} in price and tender credit since {from}"),
        )
        .because_lawful(
            "已完成信用修复，或限制措施只及于涉案品种",
            "The credit was repaired since, or the measure covers only the products concerned",
        )
        .under(LAW_RATING)
        .citing(held.rows())
        .holding(days);
    }
    clean(
        "CREDIT_NOTED",
        format!("信用评价为“{level}”（{from} 起），未达到限制采购的等级或在其他省份"),
        format!(
            "rated {level:?} since {from}: below the grade that restricts buying, or in another province"
        ),
    )
    .citing(held.rows())
    .holding(days)
}

fn penalties(question: &Question<'_>, known: &[Held<'_>]) -> Vec<Reason> {
    let years = question.index.settings.penalty_years;
    let mut reasons = Vec::new();
    for held in known {
        let (zh, en) = match held.record.record_type.as_deref() {
            Some("penalty") => ("行政处罚", "an administrative penalty"),
            Some("court") => ("司法判决", "a judgement"),
            _ => continue,
        };
        let Some(issued) = held.record.issued_on else {
            continue;
        };
        let days = Days::new(Some(issued), Some(years_later(issued, years)));
        if days.contain(question.as_of) {
            let until = day(days.to);
            reasons.push(
                hit(
                    "PENALTY_WITHIN_YEARS",
                    format!("{issued} 受{zh}，距今不满 {years} 年（至 {} 止）", until.0),
                    format!(
                        "{en} on {issued}, less than {years} years ago (until {})",
                        until.1
                    ),
                )
                .because_lawful(
                    "不属重大违法：未被追究刑责、责令停产停业、吊销许可或处以较大数额罚款",
                    "Not a grave offence: no criminal liability, closure, lost licence or large fine",
                )
                .under(LAW_PENALTY)
                .citing(held.rows())
                .holding(days),
            );
        }
    }
    reasons
}
