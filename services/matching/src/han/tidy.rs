//! Folding of writing, and the remarks that a name carries without being part of it.

use super::confusable::latin_twin;
use super::{is_common, is_han, nfkc};
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
        .map(str::trim)
        .filter(|name| name.chars().count() >= 4)
        .map(str::to_owned)
        .collect();
    Some(names)
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
    fn one_writing() {
        assert_eq!(
            tidy(" ＳＩＥＭＥＮＳ　Healthineers  (上海) 有限公司").text,
            "SIEMENS HEALTHINEERS(上海)有限公司"
        );
        assert_eq!(tidy("АВС 医药").text, "ABC医药");
        assert_eq!(tidy("⻄安⻓城\u{200b}⽣物").text, "西安长城生物");
    }
}
