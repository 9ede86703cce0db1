//! From a text to the parts of a name.

use std::borrow::Cow;

use super::form::{OrgForm, form_at_end};
use super::words::{Trades, trades_in};
use super::{OrgBranch, OrgFormer, OrgKeys, OrgName, latin};
use crate::han::{is_han, is_numeral, numeral, shape, simplified, tidy};
use crate::name::{parent_of_key, strict_key};
use crate::places::{self, Place};
use crate::{hash, pinyin};

impl OrgName {
    /// Takes a name apart. Never fails: a text that is no name gives one without keys, see
    /// [`OrgName::is_empty`].
    pub fn parse(text: &str) -> OrgName {
        let tidy = tidy(text);
        let key_strict = strict_key(text);
        let mut name = body_of(&key_strict, &tidy.text);
        name.former = tidy
            .former
            .iter()
            .filter_map(|text| former(text))
            .filter(|f| f.strict != name.keys.strict)
            .collect();
        name.keys.has_former = !name.former.is_empty();
        name.deregistered = tidy.deregistered;
        name
    }

    /// Adds the former names that another spelling of this name tells.
    pub(crate) fn add_former(&mut self, other: OrgName) {
        let mut former = std::mem::take(&mut self.former).into_vec();
        for name in other.former {
            if name.strict != self.keys.strict && former.iter().all(|f| f.strict != name.strict) {
                former.push(name);
            }
        }
        self.keys.has_former = !former.is_empty();
        self.former = former.into();
    }
}

fn former(text: &str) -> Option<OrgFormer> {
    let key_strict = strict_key(text);
    if key_strict.is_empty() {
        return None;
    }
    let name = body_of(&key_strict, text);
    Some(OrgFormer {
        display: text.into(),
        key_strict: name.key_strict,
        strict: name.keys.strict,
        loose: name.keys.loose,
    })
}

fn body_of(key_strict: &str, display: &str) -> OrgName {
    let simple = simplified(key_strict);
    let flat = without_branch_brackets(&simple);
    let branch = parent_of_key(&flat).and_then(|parent| {
        // The same cut in the unsimplified key, so that the parent's strict key is what a register has.
        let chars = parent.chars().count();
        let at = key_strict.char_indices().nth(chars).map(|(at, _)| at)?;
        Some((&key_strict[..at], parent, &flat[parent.len()..]))
    });
    let mut parts = if simple.chars().any(is_han) {
        Parts::chinese(branch.map_or(&*simple, |(_, parent, _)| parent))
    } else {
        latin::parts(display)
    };
    let parent = branch.map(|(parent, _, tail)| OrgBranch {
        parent: body_of(parent, parent),
        tail: tail_of(tail).into(),
    });
    if parent.is_none() && simple.is_empty() {
        parts = Parts::default();
    }
    parts.finish(key_strict, display, parent)
}

/// `康瑞医药有限公司(杭州分公司)` with the brackets around the branch taken off.
fn without_branch_brackets(text: &str) -> Cow<'_, str> {
    let inside = text.strip_suffix(')').and_then(|text| text.rsplit_once('('));
    match inside {
        Some((before, inside))
            if !before.is_empty() && inside.ends_with(['司', '处', '店', '院', '厂', '部', '所']) =>
        {
            Cow::Owned(format!("{before}{inside}"))
        }
        _ => Cow::Borrowed(text),
    }
}

/// The tail of a branch's name with numbers in digits, regions without suffix.
fn tail_of(tail: &str) -> String {
    let mut tail: String = tail.chars().filter(|c| !"()驻".contains(*c)).collect();
    // Names of one thing.
    for word in ["分部", "分支机构"] {
        if let Some(place) = tail.strip_suffix(word) {
            tail = format!("{place}分公司");
        }
    }
    match places::front(&tail, None) {
        Some(found) => format!(
            "{}{}",
            found.place.short_name(),
            numbers_in_digits(&tail[found.length..])
        ),
        None => numbers_in_digits(&tail),
    }
}

/// `第十二` as `第12`.
fn numbers_in_digits(text: &str) -> String {
    let Some((before, after)) = text.split_once('第') else {
        return text.to_owned();
    };
    let length = after.find(|c| !is_numeral(c)).unwrap_or(after.len());
    match numeral(&after[..length]) {
        Some(n) => format!("{before}第{n}{}", numbers_in_digits(&after[length..])),
        None => format!("{before}第{}", numbers_in_digits(after)),
    }
}

/// The parts before they get their keys.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub region: Option<Place>,
    pub second_region: Option<Place>,
    pub region_behind: bool,
    pub core: String,
    pub trades: Trades,
    pub rest: String,
    pub form: OrgForm,
    pub ordinal: Option<u32>,
    pub foreign: String,
    pub latin: bool,
    pub brand: Option<&'static str>,
}

impl Parts {
    /// Takes a simplified Chinese name apart: region, then from behind form, brackets and a region without
    /// brackets, then 字号 and trades.
    fn chinese(text: &str) -> Parts {
        let mut parts = Parts::default();
        let (form, end) = form_at_end(text);
        parts.form = form;
        let mut behind: Option<Place> = None;
        let mut body = String::with_capacity(text.len());
        let front_place = places::front(text, None).filter(|found| found.length <= end);
        parts.without_brackets(
            &text[front_place.map_or(0, |f| f.length)..end],
            &mut body,
            &mut behind,
        );
        let regional = form.is_company() || form == OrgForm::Unsaid;
        if behind.is_none()
            && regional
            && let Some((at, place)) = region_at_end(&body, front_place.map(|f| f.place))
        {
            behind = Some(place);
            parts.region_behind = true;
            body.truncate(at);
        }
        parts.ordinal = take_ordinal(&mut body, form);
        let lead = parts.split(&body);
        let mut front_region = front_place.map(|f| f.place);
        if behind.is_none()
            && regional
            && front_region.is_none()
            && parts.core.chars().count() >= 4
            && let Some((at, place)) = region_at_end(&parts.core, None)
            && place.county().is_none()
        {
            // 华润北京医药有限公司
            behind = Some(place);
            parts.region_behind = true;
            parts.core.truncate(at);
        }
        if let Some(found) = front_place
            && (body.is_empty() || belongs_to_core(&text[..found.length], found.place, lead, form))
        {
            let start = found.length - found.last;
            let whole = format!("{}{body}", found.place.short_name());
            front_region = places::front(&text[..start], None).map(|f| f.place);
            parts.trades = Trades::default();
            parts.rest.clear();
            parts.split(&whole);
        }
        parts.set_regions(front_region, behind);
        parts
    }

    fn set_regions(&mut self, front: Option<Place>, behind: Option<Place>) {
        (self.region, self.second_region) = match (front, behind) {
            (Some(a), Some(b)) if a == b || b.contains(a) => (Some(a), None),
            (Some(a), Some(b)) if a.contains(b) => (Some(b), None),
            (Some(a), Some(b)) => (Some(a), Some(b)),
            (a, b) => (a.or(b), None),
        };
        if behind.is_none() || front.is_some() && self.second_region.is_none() {
            self.region_behind = false;
        }
    }

    /// The text without its bracket groups; a group that is a region, Latin words or 集团 goes to its part.
    fn without_brackets(&mut self, text: &str, body: &mut String, behind: &mut Option<Place>) {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('(') {
            body.push_str(before);
            let (inside, after) = after.split_once(')').unwrap_or((after, ""));
            match places::front(inside, None) {
                Some(found) if found.length == inside.len() => *behind = behind.or(Some(found.place)),
                _ if inside.is_ascii() => self.foreign.push_str(inside),
                _ => body.push_str(inside),
            }
            rest = after;
        }
        body.extend(rest.chars().filter(|c| *c != ')'));
    }

    /// 字号 up to the first trade word that leaves it two characters; trades and what is between them after.
    /// Tells how many characters stand before the first trade word of all.
    fn split(&mut self, body: &str) -> usize {
        let mut lead = None;
        let mut core_end = body.len();
        let mut at = body.len();
        let mut started = false;
        for (start, end, trade) in trades_in(body) {
            let before = body[..start].chars().count();
            lead.get_or_insert(before);
            if !started {
                if before < 2 {
                    continue;
                }
                core_end = start;
                at = start;
                started = true;
            }
            self.rest.push_str(&body[at..start]);
            self.trades = self.trades.with(trade);
            at = end;
        }
        if started {
            self.rest.push_str(&body[at..]);
        }
        self.core = body[..core_end].to_owned();
        lead.unwrap_or_else(|| body.chars().count())
    }

    pub(super) fn finish(mut self, key_strict: &str, display: &str, branch: Option<OrgBranch>) -> OrgName {
        let stem = hash::key(if self.core.is_empty() { "第" } else { &self.core });
        let mut core_full = std::mem::take(&mut self.core);
        if let Some(n) = self.ordinal {
            core_full = format!("{core_full}第{n}");
        }
        let empty = key_strict.is_empty();
        let short = matches!(self.form, OrgForm::Unsaid);
        let key_loose = if empty {
            String::new()
        } else {
            self.loose(&core_full, branch.as_ref())
        };
        let letters = pinyin::joined(&core_full);
        let keys = OrgKeys {
            strict: hash::key(key_strict),
            loose: hash::key(&key_loose),
            core: if empty { 0 } else { hash::key(&core_full) },
            stem,
            shape: hash::chars(core_full.chars().map(shape)),
            sound: hash::key(&letters),
            brand: self.brand.map_or(0, hash::key),
            rest: hash::key(&self.rest),
            parent: branch.as_ref().map_or(0, |b| b.parent.keys.strict),
            parent_loose: branch.as_ref().map_or(0, |b| b.parent.keys.loose),
            tail: branch.as_ref().map_or(0, |b| hash::key(&b.tail)),
            first: core_full.chars().next().map_or(0, u32::from),
            last: core_full.chars().next_back().map_or(0, u32::from),
            core_chars: core_full.chars().count().min(usize::from(u16::MAX)) as u16,
            name_chars: key_strict.chars().count().min(usize::from(u16::MAX)) as u16,
            latin: self.latin,
            short,
            has_former: false,
        };
        OrgName {
            display: display.into(),
            key_strict: key_strict.into(),
            key_loose: key_loose.into(),
            region: self.region,
            second_region: self.second_region,
            region_behind: self.region_behind,
            core: core_full.into(),
            trades: self.trades,
            rest: self.rest.into(),
            form: self.form,
            ordinal: self.ordinal,
            branch: branch.map(Box::new),
            former: Box::default(),
            foreign: self.foreign.into(),
            deregistered: false,
            keys,
        }
    }

    fn loose(&self, core: &str, branch: Option<&OrgBranch>) -> String {
        let mut key = String::with_capacity(64);
        for (at, place) in [self.region, self.second_region]
            .into_iter()
            .flatten()
            .enumerate()
        {
            if at > 0 {
                key.push('+');
            }
            key.push_str(place.name());
            if place.county().is_some() {
                key.push_str(&place.code().to_string());
            }
        }
        key.push('|');
        key.push_str(core);
        key.push('|');
        for (at, word) in self.trades.words().enumerate() {
            if at > 0 {
                key.push('+');
            }
            key.push_str(word);
        }
        key.push('|');
        key.push_str(&self.rest);
        key.push('|');
        key.push_str(self.form.zh());
        if let Some(branch) = branch {
            key.push('|');
            key.push_str(&branch.tail);
        }
        key
    }
}

/// Whether the last division read at the front is really the 字号, which has two characters at least: 安康瑞
/// is not 瑞 in 安康, 上海静安医疗 is 静安 in 上海, and of 杭州大药房 nothing else is left.
fn belongs_to_core(written: &str, place: Place, lead: usize, form: OrgForm) -> bool {
    let bare = !written.ends_with(['省', '市', '区', '县', '旗', '州', '盟']);
    match lead {
        // 上虞第二人民医院 is the hospital of 上虞.
        0 => bare && place.county().is_some() && form != OrgForm::Hospital,
        1 => bare,
        _ => false,
    }
}

/// A region that ends the body, behind two characters at least.
fn region_at_end(body: &str, above: Option<Place>) -> Option<(usize, Place)> {
    if !places::may_end(body) {
        return None;
    }
    body.char_indices().skip(2).find_map(|(at, _)| {
        let found = places::front(&body[at..], above)?;
        (at + found.length == body.len()).then_some((at, found.place))
    })
}

/// Takes `第十二` out of the body, or the number in `二厂`, `三院`.
fn take_ordinal(body: &mut String, form: OrgForm) -> Option<u32> {
    // 第一三共 is a maker's name, not its number.
    if let Some(at) = body.find('第').filter(|at| !body[*at..].starts_with("第一三共")) {
        let from = at + '第'.len_utf8();
        let length = body[from..].find(|c| !is_numeral(c)).unwrap_or(body.len() - from);
        if let Some(n) = numeral(&body[from..from + length]) {
            body.replace_range(at..from + length, "");
            return Some(n);
        }
    }
    let counted = matches!(
        form,
        OrgForm::Factory | OrgForm::Hospital | OrgForm::Shop | OrgForm::School
    );
    let text = match body.strip_suffix('院') {
        Some(before) if form == OrgForm::Unsaid => before,
        _ if counted => body.as_str(),
        _ => return None,
    };
    let start = text
        .char_indices()
        .rev()
        .take_while(|(_, c)| is_numeral(*c))
        .map(|(at, _)| at)
        .last()?;
    if text[..start].chars().count() < 2 {
        return None;
    }
    let n = numeral(&text[start..])?;
    let end = text.len();
    body.replace_range(start..end, "");
    Some(n)
}
