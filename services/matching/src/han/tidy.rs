//! Folding of writing, and the remarks that a name carries without being part of it.

use super::confusable::latin_twin;
use super::{is_common, is_han, is_plain, nfkc};
use crate::identifier::{is_dash, is_invisible};
use crate::radicals;

/// A text in one writing: half width, upper case, `()` for every bracket, `·` for every middle dot, single
/// spaces between Latin words and none beside Han characters, no quotes and nothing invisible.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tidy {
    pub text: String,
    /// Former names told in brackets, in the same writing: `(曾用名:…)`, `(原…公司)`.
    pub former: Vec<String>,
    /// `(已注销)`, `(吊销)`: the registration has ended.
    pub deregistered: bool,
}

/// Folds the writing of a text and takes former names and the state of registration out of it.
pub fn tidy(raw: &str) -> Tidy {
    if is_plain(raw) {
        return Tidy {
            text: raw.to_owned(),
            ..Tidy::default()
        };
    }
    let mut tidy = Tidy {
        text: written(raw),
        ..Tidy::default()
    };
    while let Some((open, inside)) = last_group(&tidy.text) {
        if let Some(names) = former_names(&inside) {
            tidy.former.extend(names);
        } else if ends_registration(&inside) {
            tidy.deregistered = true;
        } else {
            break;
        }
        tidy.text.truncate(open);
        tidy.text.truncate(tidy.text.trim_end().len());
    }
    if tidy.text.contains('曾')
        && let Some(at) = tidy.text.find("曾用名")
        && at > 0
    {
        tidy.former
            .extend(former_names(&tidy.text[at..]).unwrap_or_default());
        tidy.text.truncate(at);
        tidy.text
            .truncate(tidy.text.trim_end_matches(['(', ',', ' ']).len());
    }
    tidy
}

fn written(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut space = false;
    nfkc(raw, |c| {
        let c = match c {
            c if is_common(c) => {
                space = false;
                out.push(c);
                return;
            }
            c if c.is_ascii_alphanumeric() && !space => {
                out.push(c.to_ascii_uppercase());
                return;
            }
            c if c.is_whitespace() => {
                space = true;
                return;
            }
            c if is_invisible(c) => return,
            '〔' | '【' | '﹝' | '[' | '{' | '〖' | '❨' | '❲' => '(',
            '〕' | '】' | '﹞' | ']' | '}' | '〗' | '❩' | '❳' => ')',
            '•' | '‧' | '・' | '∙' | '⋅' | '᛫' | '⸱' | '●' => '·',
            '"' | '\'' | '`' | '´' | '‘' | '’' | '‚' | '‛' | '“' | '”' | '„' | '‟' | '«' | '»' | '‹'
            | '›' | '′' | '″' | '「' | '」' | '『' | '』' | '〝' | '〞' | '〟' | '《' | '》' | '〈'
            | '〉' | '<' | '>' | '*' => return,
            '，' | '､' => ',',
            c if is_dash(c) => '-',
            c => radicals::unify(c),
        };
        if space {
            let beside_latin = c.is_alphanumeric() && !is_han(c) || c == '&';
            let after_latin = out.ends_with(|p: char| p.is_alphanumeric() && !is_han(p) || ".,&".contains(p));
            if beside_latin && after_latin {
                out.push(' ');
            }
            space = false;
        }
        match c {
            c if c.is_ascii() => out.push(c.to_ascii_uppercase()),
            c => out.extend(latin_twin(c).to_uppercase()),
        }
    });
    out
}

/// The bracket group that ends the text: where it opens, and what is inside. An unclosed one counts.
fn last_group(text: &str) -> Option<(usize, String)> {
    text.rfind('(')?;
    let closed = text.ends_with(')');
    let mut depth = 0usize;
    for (at, c) in text.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' if depth <= 1 => {
                let whole = at > 0 && (closed || depth == 0);
                return whole.then(|| {
                    let inside = &text[at + 1..];
                    (at, inside.strip_suffix(')').unwrap_or(inside).to_owned())
                });
            }
            '(' => depth -= 1,
            _ if depth == 0 && closed => return None,
            _ => {}
        }
    }
    None
}

fn former_names(inside: &str) -> Option<Vec<String>> {
    let marks = [
        "曾用名",
        "原名称",
        "原名",
        "曾名",
        "更名前",
        "旧名",
        "前称",
        "原称",
    ];
    let rest = match marks.iter().find_map(|mark| inside.strip_prefix(mark)) {
        Some(rest) => rest,
        None => {
            let rest = inside.strip_prefix('原')?;
            if rest.chars().count() < 4 {
                return None;
            }
            rest
        }
    };
    let names = rest
        .trim_start_matches(['为', '是', ':', ' '])
        .split(['、', ';', ',', '/'])
        .map(|name| without_dates(name.trim()))
        .filter(|name| name.chars().count() >= 4)
        .map(str::to_owned)
        .collect();
    Some(names)
}

/// A former name without the dates beside it: `2015年至2019年为…`, `…(2019年5月6日变更)`, `…至2019-05-06`.
fn without_dates(text: &str) -> &str {
    const BEFORE: [char; 7] = ['自', '从', '于', '至', '到', '(', ' '];
    let Some(year) = year_at(text) else { return text };
    let name = text[..year].trim_end_matches(BEFORE);
    if !name.is_empty() {
        return name;
    }
    let of_dates = |c: char| c.is_ascii_digit() || "年月日-.~至到前后之起 ".contains(c);
    let rest = text[year..].trim_start_matches(of_dates);
    let rest = rest.trim_start_matches(['为', '是', '称', ':', ')']);
    // A second date follows, or what was done on that day.
    match year_at(rest) {
        Some(next) => rest[..next].trim_end_matches(BEFORE),
        None if ["变更", "更名", "改名"].iter().any(|word| rest.starts_with(word)) => "",
        None => rest,
    }
}

/// Where a year of a date begins: four digits from 19 or 20 on, then 年 or a separator of dates.
fn year_at(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(4)).find(|&at| {
        let year = &bytes[at..at + 4];
        let alone = at == 0 || !bytes[at - 1].is_ascii_digit();
        let after = &text.as_bytes()[at + 4..];
        alone
            && (year.starts_with(b"19") || year.starts_with(b"20"))
            && year.iter().all(u8::is_ascii_digit)
            && (after.starts_with("年".as_bytes())
                || matches!(after, [b'-' | b'.', digit, ..] if digit.is_ascii_digit()))
    })
}

fn ends_registration(inside: &str) -> bool {
    let word = inside.trim_start_matches(['已', '现']);
    ["注销", "吊销", "吊销未注销", "注吊销", "撤销"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_taken_out_and_kept() {
        let name =
            tidy("康瑞医药（浙江）有限公司（曾用名：杭州康瑞药业有限公司、康瑞商贸有限公司）（已注销）");
        assert_eq!(name.text, "康瑞医药(浙江)有限公司");
        assert_eq!(name.former, ["杭州康瑞药业有限公司", "康瑞商贸有限公司"]);
        assert!(name.deregistered);
        let open = tidy("康瑞医药有限公司 曾用名:杭州康瑞药业有限公司");
        assert_eq!((open.text.as_str(), open.former.len()), ("康瑞医药有限公司", 1));
        assert!(tidy("康瑞医药有限公司(原平)").former.is_empty());
    }

    #[test]
    fn dates_beside_a_former_name_are_no_part_of_it() {
        for remark in [
            "曾用名：杭州康瑞药业有限公司，2019年5月6日变更",
            "曾用名：杭州康瑞药业有限公司（2019-05-06变更）",
            "曾用名：杭州康瑞药业有限公司 2012年3月至2019年5月",
            "曾用名：杭州康瑞药业有限公司至2019.05",
            "曾用名：2012年至2019年为杭州康瑞药业有限公司",
            "原名：2019年5月前：杭州康瑞药业有限公司",
        ] {
            let name = tidy(&format!("康瑞医药有限公司（{remark}）"));
            assert_eq!(name.former, ["杭州康瑞药业有限公司"], "{remark}");
        }
        let years = tidy("康瑞医药有限公司（曾用名：杭州2000科技有限公司、3M中国有限公司）");
        assert_eq!(years.former, ["杭州2000科技有限公司", "3M中国有限公司"]);
    }

    #[test]
    fn one_writing() {
        assert_eq!(
            tidy(" ＳＩＥＭＥＮＳ　Healthineers  (上海) 有限公司").text,
            "SIEMENS HEALTHINEERS(上海)有限公司"
        );
        assert_eq!(tidy("АВС 医药").text, "ABC医药");
        assert_eq!(tidy("⻄安⻓城\u{200b}⽣物").text, "西安长城生物");
    }
}
