//! RELATIONS: staff of the hospital tied to the supplier, over relatives and companies, as the graph finds them.

use domain::Value;
use domain::screening::Reason;

use super::{Question, undecided};
use crate::answer::{Days, ReasonExt, clean, hit, not_computed};
use crate::identity::Standing;
use crate::input::StaffTie;

const LAW: &str = "公职人员政务处分法第36条；政府采购法实施条例第9条";
const LAWFUL: (&str, &str) = (
    "已如实申报并回避、经批准的兼职，或登记信息滞后而实际已经退出",
    "Declared and recused, a side post with permission, or a register that is behind while the interest has ended",
);

pub(crate) fn check(question: &Question<'_>) -> Vec<Reason> {
    let index = question.index;
    let mut reasons = question.lacking(&["staff", "relations"]);
    if let Some(unknown) = question.unknown_hospital() {
        reasons.push(unknown);
        return reasons;
    }
    // Declarations are the staff's own word; where they are kept they have to be fresh.
    if index.has("declarations") {
        reasons.extend(question.lacking(&["declarations"]));
    }
    if index.ties_cut {
        reasons.push(not_computed(
            "SEARCH_CUT",
            "关联路径过多，搜索被截断，可能遗漏",
            "a limit cut the search for paths; some ties may be missing",
        ));
    }
    let at = match question.standing {
        Standing::Known(at) => at,
        Standing::Undecided => {
            reasons.push(undecided());
            return reasons;
        }
        Standing::Unknown => {
            reasons.push(owners_unknown(None, question));
            return reasons;
        }
    };
    let party = index.party(at);
    let ties: Vec<&StaffTie> = index
        .ties
        .of(&party.party_id)
        .iter()
        .filter(|t| of_hospital(question, t) && in_force(question, t))
        .collect();
    let small = |tie: &StaffTie| {
        tie.may_be_listed && tie.share.is_some_and(|s| s < index.settings.listed_share_percent)
    };
    let (noted, mut told): (Vec<&StaffTie>, Vec<&StaffTie>) = ties.into_iter().partition(|t| small(t));
    told.sort_by_key(|t| (!t.is_key_post, t.hops.len(), &t.staff_id));
    let more = told.len().saturating_sub(index.settings.ties_max);
    reasons.extend(told.iter().take(index.settings.ties_max).map(|t| tied(t)));
    if more > 0 {
        reasons.push(
            hit(
                "MORE_TIES",
                format!("另有 {more} 条关联未列出"),
                format!("{more} more ties are not shown"),
            )
            .because_lawful(LAWFUL.0, LAWFUL.1)
            .under(LAW),
        );
    }
    if !party.owners_known {
        reasons.push(owners_unknown(Some(at), question));
    }
    reasons.extend(noted.iter().map(|t| small_holding(t)));
    if reasons.is_empty() {
        reasons.push(
            clean(
                "NO_TIE",
                format!("{} 当日，未发现人员与该供应商的关联（只凭证件号码、代码和申报）", question.as_of),
                format!("no tie of staff to this supplier on {} (by document numbers, codes and declarations only)", question.as_of),
            )
            .citing(party.row.as_ref()),
        );
    }
    reasons
}

/// Staff of the hospital asked about; of any, when none was given.
fn of_hospital(question: &Question<'_>, tie: &StaffTie) -> bool {
    match (&question.request.hospital_id, &tie.hospital_id) {
        (None, _) => true,
        (Some(asked), Some(own)) => **asked == **own,
        (Some(_), None) => false,
    }
}

fn in_force(question: &Question<'_>, tie: &StaffTie) -> bool {
    Days::new(tie.valid_from, tie.valid_to).contain(question.as_of)
        && tie.left_on.is_none_or(|left| question.as_of < left)
}

fn tied(tie: &StaffTie) -> Reason {
    let (post_zh, post_en) = match tie.is_key_post {
        true => ("重点岗位人员", "key staff"),
        false => ("人员", "staff"),
    };
    let hops = tie.hops.len();
    let way = |relation: &str| match tie.hops.first() {
        Some(Value::Map(hop)) => hop.get("relation").and_then(Value::as_str) == Some(relation),
        _ => false,
    };
    let relative = ["spouse", "parent", "child", "sibling", "other_relative"]
        .into_iter()
        .any(way);
    let (way_zh, way_en) = match (hops, relative) {
        (1, _) => (
            "直接持股或任职".to_owned(),
            "directly, by a holding or post".to_owned(),
        ),
        (2, true) => (
            "由其亲属持股或任职".to_owned(),
            "through a relative's holding or post".to_owned(),
        ),
        _ => (format!("经 {hops} 跳相连"), format!("in {hops} hops")),
    };
    let share = tie.share.map(|s| s.normalize());
    let (share_zh, share_en) = match share {
        Some(share) => (
            format!("，合计持股 {share}%"),
            format!(", combined share {share} %"),
        ),
        None => (String::new(), String::new()),
    };
    let (control_zh, control_en) = match tie.controls {
        true => ("，逐层控股", ", control all along"),
        false => ("", ""),
    };
    let hospital = tie.hospital_id.as_deref().unwrap_or("-");
    let mut reason = hit(
        if tie.is_key_post {
            "KEY_STAFF_TIED"
        } else {
            "STAFF_TIED"
        },
        format!(
            "医院 {hospital} {post_zh} {} 与该供应商有关联：{way_zh}{share_zh}{control_zh}",
            tie.staff_id
        ),
        format!(
            "{post_en} {} of hospital {hospital} is tied to the supplier {way_en}{share_en}{control_en}",
            tie.staff_id
        ),
    )
    .because_lawful(LAWFUL.0, LAWFUL.1)
    .under(LAW)
    .citing(std::iter::once(&tie.staff_row).chain(&tie.hop_rows))
    .holding(days(tie));
    reason.path = tie.hops.clone();
    reason
}

/// The tie ends with the path or with the post, whichever is first.
fn days(tie: &StaffTie) -> Days {
    let to = match (tie.valid_to, tie.left_on) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    Days::new(tie.valid_from, to)
}

fn small_holding(tie: &StaffTie) -> Reason {
    clean(
        "SMALL_LISTED_HOLDING",
        format!("人员 {} 持有股份有限公司少量股份，可能购自证券市场", tie.staff_id),
        format!(
            "staff {} holds a few shares of a company limited by shares, perhaps bought on the exchange",
            tie.staff_id
        ),
    )
    .citing(std::iter::once(&tie.staff_row).chain(&tie.hop_rows))
    .holding(days(tie))
}

/// Without anybody who owns or leads it, "no tie" would be no answer.
fn owners_unknown(at: Option<u32>, question: &Question<'_>) -> Reason {
    let reason = not_computed(
        "OWNERS_UNKNOWN",
        "没有该供应商的股东、任职或法定代表人数据，无法判断关联",
        "no row tells who owns or leads this supplier, so ties cannot be told",
    );
    reason.citing(at.and_then(|at| question.index.party(at).row.as_ref()))
}
