//! Names of organisations: the strict key under which two spellings are surely the same name, and the
//! parent that a branch's name tells.
//!
//! The strict key folds how a name is *written* (width, brackets, spaces, invisible characters, look-alike
//! radicals, quotes, numbering, remarks in brackets) and one thing it *says*: 有限责任公司 is 有限公司. It
//! never turns traditional characters into simplified ones, drops no region and no trade: what is alike
//! beyond that is a candidate for the probabilistic matcher, not an equal name.

use crate::han;
use crate::identifier::{is_dash, is_invisible};
use crate::radicals;

/// The key under which names are equal; empty when the text is no name (`无`, `-`, a number) or a masked one
/// (`杭州**有限公司`), which many share.
pub fn strict_key(name: &str) -> String {
    let mut text = if han::is_plain(name) {
        name.to_owned()
    } else if name.contains("**") || name.contains("＊＊") {
        return String::new();
    } else {
        bare_form(name)
    };
    // One character is found much faster than a word.
    if text.contains('责') {
        text = text.replace("有限责任公司", "有限公司");
    }
    if is_name(&text) { text } else { String::new() }
}

/// The written form without numbering, labels and remarks.
fn bare_form(name: &str) -> String {
    let mut text = written_form(name);
    loop {
        let before = text.len();
        strip_front(&mut text);
        strip_back(&mut text);
        if text.len() == before {
            return text;
        }
    }
}

/// Characters folded one by one; spaces and invisible ones dropped.
fn written_form(name: &str) -> String {
    let name = name.trim_start_matches(|c| is_invisible(c) || is_enclosed_number(c));
    let mut out = String::with_capacity(name.len());
    han::nfkc(name, |c| push_folded(c, &mut out));
    if !out.bytes().any(|b| matches!(b, b'.' | b',')) {
        return out;
    }
    let dots: Vec<(usize, char)> = out
        .char_indices()
        .filter(|(_, c)| matches!(c, '.' | ','))
        .collect();
    for (at, dot) in dots.into_iter().rev() {
        // In "Co., Ltd." dots say nothing; between two Han characters one is a middle dot written low.
        let asian = |c: Option<char>| c.is_some_and(|c| !c.is_ascii());
        let between = asian(out[..at].chars().next_back()) && asian(out[at + 1..].chars().next());
        match (dot, between) {
            ('.', true) => out.replace_range(at..=at, "·"),
            _ if leads_numbering(&out, at) => {}
            _ => out.replace_range(at..=at, ""),
        }
    }
    out
}

/// Whether the dot at byte `at` closes a numbering like "1.".
fn leads_numbering(text: &str, at: usize) -> bool {
    (1..=3).contains(&at) && text[..at].bytes().all(|b| b.is_ascii_digit())
}

fn push_folded(c: char, out: &mut String) {
    match c {
        c if han::is_common(c) => out.push(c),
        c if is_invisible(c) => {}
        '(' | '〔' | '【' | '﹝' | '[' | '{' | '〖' | '❨' | '❲' => out.push('('),
        ')' | '〕' | '】' | '﹞' | ']' | '}' | '〗' | '❩' | '❳' => out.push(')'),
        '·' | '•' | '‧' | '・' | '∙' | '⋅' | '᛫' | '⸱' | '●' => out.push('·'),
        '"' | '\'' | '`' | '´' | '‘' | '’' | '‚' | '‛' | '“' | '”' | '„' | '‟' | '«' | '»' | '‹' | '›'
        | '′' | '″' | '「' | '」' | '『' | '』' | '〝' | '〞' | '〟' | '《' | '》' | '〈' | '〉' | '<'
        | '>' | '*' => {}
        '，' => out.push(','),
        c if is_dash(c) => out.push('-'),
        c if c.is_ascii() => out.push(c.to_ascii_uppercase()),
        c => radicals::unify(c).to_uppercase().for_each(|c| out.push(c)),
    }
}

/// ① to ⑳ and their like before a name: NFKC would make digits of them.
fn is_enclosed_number(c: char) -> bool {
    matches!(c, '\u{2460}'..='\u{249b}' | '\u{24ea}'..='\u{24ff}' | '\u{2776}'..='\u{2793}' | '\u{3220}'..='\u{3229}')
}

/// Words that label a name and are no part of it, before a colon.
const LABELS: [&str; 29] = [
    "甲方",
    "乙方",
    "丙方",
    "供方",
    "需方",
    "买方",
    "卖方",
    "供货方",
    "供货商",
    "供应商",
    "供应商名称",
    "采购人",
    "采购方",
    "投标人",
    "投标单位",
    "中标人",
    "中标单位",
    "中标供应商",
    "成交供应商",
    "单位名称",
    "公司名称",
    "企业名称",
    "单位",
    "名称",
    "销售方",
    "购买方",
    "收款人",
    "收款单位",
    "户名",
];

/// Removes numbering ("1-", "(2)", "三、") and labels ("甲方:").
fn strip_front(text: &mut String) {
    let rest = text.trim_start_matches([',', '、', ':', ';', '-', '·', '#', '/', ')', '。']);
    let rest = without_numbering(rest);
    let rest = without_label(rest);
    if rest.len() < text.len() {
        *text = rest.to_owned();
    }
}

fn without_numbering(text: &str) -> &str {
    let bracketed = text.starts_with('(');
    let body = text.strip_prefix('(').unwrap_or(text);
    let arabic = body.find(|c: char| !c.is_ascii_digit()).unwrap_or(body.len());
    let chinese = body
        .find(|c: char| !"一二三四五六七八九十".contains(c))
        .unwrap_or(body.len());
    let (length, most) = if arabic > 0 {
        (arabic, 3)
    } else {
        (chinese, 3 * '一'.len_utf8())
    };
    if length == 0 || length > most {
        return text;
    }
    let after = &body[length..];
    let after = match (bracketed, after.chars().next()) {
        (true, Some(')')) => &after[1..],
        (false, Some('、')) => &after['、'.len_utf8()..],
        (false, Some('-' | '.' | ',' | ':' | ')' | '_')) if arabic > 0 => &after[1..],
        _ => return text,
    };
    // "7-ELEVEN" is a name; numbering stands before a Han character or a bracket.
    if after.starts_with(|c: char| !c.is_ascii() || c == '(') {
        after
    } else {
        text
    }
}

fn without_label(text: &str) -> &str {
    let Some(colon) = text.find(':') else { return text };
    let label = &text[..colon];
    let label = label
        .strip_suffix(')')
        .and_then(|l| l.rsplit_once('('))
        .map_or(label, |(l, _)| l);
    if LABELS.contains(&label) {
        &text[colon + 1..]
    } else {
        text
    }
}

/// Remarks that end a name: former names, states, seals.
fn strip_back(text: &mut String) {
    text.truncate(
        text.trim_end_matches([',', '、', ':', ';', '-', '·', '。', '/'])
            .len(),
    );
    if let Some(open) = last_group(text)
        && open > 0
        && is_remark(text[open + 1..].trim_end_matches(')'))
    {
        text.truncate(open);
    } else if text.contains('曾')
        && let Some(at) = text.find("曾用名")
        && at > 0
    {
        text.truncate(at);
        text.truncate(text.trim_end_matches(['(', ',']).len());
    }
}

/// Where the bracket group that ends the text begins; an unclosed one counts as ending it.
fn last_group(text: &str) -> Option<usize> {
    text.rfind('(')?;
    let mut depth = 0usize;
    let closed = text.ends_with(')');
    for (at, c) in text.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' if depth <= 1 => return (closed || depth == 0).then_some(at),
            '(' => depth -= 1,
            _ if depth == 0 && closed => return None,
            _ => {}
        }
    }
    None
}

fn is_remark(inside: &str) -> bool {
    let former = ["曾用名", "原名", "曾名", "更名前", "旧名", "前称", "原称"]
        .iter()
        .any(|word| inside.starts_with(word));
    let renamed = inside.starts_with('原') && inside.chars().count() >= 5;
    let word = inside.trim_start_matches(['已', '现']);
    let state = [
        "注销",
        "吊销",
        "吊销未注销",
        "注吊销",
        "停业",
        "歇业",
        "迁出",
        "撤销",
        "更名",
        "存续",
        "在业",
        "开业",
        "正常",
        "盖章",
        "公章",
        "签章",
        "盖公章",
        "黑名单",
        "失信",
        "停用",
        "作废",
    ]
    .contains(&word);
    former || renamed || state
}

/// Whether a key has at least two letters or Han characters and is no word for "none".
fn is_name(key: &str) -> bool {
    let mut letters = key.chars().filter(|c| han::is_common(*c) || c.is_alphabetic());
    letters.nth(1).is_some() && !says_nothing(key)
}

/// What people write into a column to leave it empty, in upper case.
const NOTHING: [&str; 20] = [
    "无",
    "NULL",
    "NONE",
    "NIL",
    "NA",
    "N/A",
    "#N/A",
    "NAN",
    "TBD",
    "不详",
    "未知",
    "暂无",
    "没有",
    "待定",
    "不适用",
    "其他",
    "未填写",
    "空白",
    "保密",
    "个人",
];

/// Whether a text in upper case only says that there is nothing to say.
pub(crate) fn says_nothing(text: &str) -> bool {
    NOTHING.contains(&text)
}

/// As [`says_nothing`], for a text in any case. Allocates nothing for most texts.
pub(crate) fn says_nothing_in_any_case(text: &str) -> bool {
    // No word has more than nine bytes, and no letter more than twice as many as its capital.
    const BYTES_MAX: usize = 9;
    if text.len() > 2 * BYTES_MAX {
        return false;
    }
    if text.chars().all(|c| c.is_ascii() || han::is_common(c)) {
        return text.len() <= BYTES_MAX && NOTHING.iter().any(|word| word.eq_ignore_ascii_case(text));
    }
    says_nothing(&text.to_uppercase())
}

/// Ends of names that say "a part of": what stands before the place is the parent.
const BRANCH_ENDS: [&str; 31] = [
    "分公司",
    "分院",
    "院区",
    "分店",
    "分厂",
    "分部",
    "分行",
    "支行",
    "分所",
    "分社",
    "分校",
    "分中心",
    "分支机构",
    "办事处",
    "代表处",
    "联络处",
    "营业部",
    "经营部",
    "营销部",
    "销售部",
    "门市部",
    "项目部",
    "服务部",
    "工程处",
    "营业厅",
    "门店",
    "药店",
    "大药房",
    "门诊部",
    "直营店",
    "店",
];

/// Ends of names of whole organisations.
const PARENT_ENDS: [&str; 10] = [
    "公司",
    "集团",
    "医院",
    "合伙)",
    "研究院",
    "研究所",
    "事务所",
    "保健院",
    "大学",
    "银行",
];

/// The strict key of the organisation that `name` is a branch of, when the name tells: 分公司, 分院, 办事处
/// and the like after the full name of the parent.
pub fn branch_of(name: &str) -> Option<String> {
    parent_of_key(&strict_key(name)).map(str::to_owned)
}

/// As [`branch_of`], for what is a strict key already.
pub(crate) fn parent_of_key(key: &str) -> Option<&str> {
    let end = BRANCH_ENDS
        .iter()
        .filter(|end| key.as_bytes().last() == end.as_bytes().last() && key.ends_with(*end))
        .max_by_key(|end| end.len())?;
    let before = &key[..key.len() - end.len()];
    // The last whole organisation named before; a branch of a branch belongs to the branch.
    let cut = PARENT_ENDS
        .iter()
        .filter_map(|form| before.rfind(form).map(|at| at + form.len()))
        .max()?;
    let parent = &before[..cut];
    // "药店" and the like may end a whole organisation's own name unless the parent is a company.
    let company = parent.ends_with("公司") || parent.ends_with("合伙)");
    let clear =
        company || end.starts_with('分') || matches!(*end, "院区" | "办事处" | "代表处" | "联络处" | "支行");
    (clear && parent.chars().count() >= 4).then_some(parent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(name: &str, want: &str) {
        assert_eq!(strict_key(name), want, "{name:?}");
    }

    const PLAIN: &str = "杭州康瑞医药(浙江)有限公司";

    #[test]
    fn one_name_in_many_writings() {
        for name in [
            "杭州康瑞医药（浙江）有限公司",
            "杭州康瑞医药(浙江)有限责任公司",
            " 杭州康瑞 医药〔浙江〕有限公司\u{3000}",
            "杭州康瑞医药【浙江】有限公司",
            "杭州康瑞医药﹝浙江﹞有限公司",
            "杭州康瑞医药[浙江]有限公司",
            "“杭州康瑞医药”（浙江）有限公司",
            "杭州\u{200b}康瑞\u{ad}医药\u{fe0f}(浙江)有限公司\u{feff}",
            "1-杭州康瑞医药(浙江)有限公司",
            "1. 杭州康瑞医药(浙江)有限公司",
            "12、杭州康瑞医药(浙江)有限公司",
            "（3）杭州康瑞医药(浙江)有限公司",
            "③杭州康瑞医药(浙江)有限公司",
            "三、杭州康瑞医药(浙江)有限公司",
            "甲方：杭州康瑞医药(浙江)有限公司",
            "1、供应商名称: 杭州康瑞医药(浙江)有限公司",
            "乙方（盖章）：杭州康瑞医药(浙江)有限公司",
            "杭州康瑞医药(浙江)有限公司（曾用名：杭州康瑞（中国）药业有限公司）",
            "杭州康瑞医药(浙江)有限公司(曾用名:杭州康瑞药业",
            "杭州康瑞医药(浙江)有限公司 曾用名 杭州康瑞药业有限公司",
            "杭州康瑞医药(浙江)有限公司（原杭州康瑞药业有限公司）",
            "杭州康瑞医药(浙江)有限公司（已注销）",
            "杭州康瑞医药(浙江)有限公司(注销)(盖章)",
            "杭州康瑞医药(浙江)有限公司（注销",
            "杭州康瑞医药(浙江)有限公司。",
        ] {
            check(name, PLAIN);
        }
    }

    #[test]
    fn radicals_copied_from_pdf_files_are_ordinary_characters() {
        check("⻄安⻓城⽣物⻋业有限公司", "西安长城生物车业有限公司");
    }

    #[test]
    fn what_differs_in_law_or_place_stays_apart() {
        for (a, b) in [
            ("康瑞医药股份有限公司", "康瑞医药有限公司"),
            ("康瑞医药(北京)有限公司", "康瑞医药(上海)有限公司"),
            ("康瑞医药(北京)有限公司", "北京康瑞医药有限公司"),
            ("杭州康瑞医药有限公司", "杭州康瑞医疗科技有限公司"),
            ("乾元医药有限公司", "干元医药有限公司"),
            ("協和医疗有限公司", "协和医疗有限公司"),
            ("康瑞医药有限公司", "康瑞医药有限公司杭州分公司"),
            ("第一医药有限公司", "第二医药有限公司"),
        ] {
            assert_ne!(strict_key(a), strict_key(b), "{a} {b}");
        }
        check("康瑞医药股份有限责任公司", "康瑞医药股份有限公司");
    }

    #[test]
    fn latin_names_and_dots() {
        check("Siemens Healthineers Co., Ltd.", "SIEMENSHEALTHINEERSCOLTD");
        check("ＳＩＥＭＥＮＳ　Healthineers Co Ltd", "SIEMENSHEALTHINEERSCOLTD");
        check("卡尔．史托斯内窥镜有限公司", "卡尔·史托斯内窥镜有限公司");
        check("卡尔•史托斯内窥镜有限公司", "卡尔·史托斯内窥镜有限公司");
        check("7-Eleven便利店有限公司", "7-ELEVEN便利店有限公司");
        check("360安全科技股份有限公司", "360安全科技股份有限公司");
        check("3M中国有限公司", "3M中国有限公司");
        check("三一重工股份有限公司", "三一重工股份有限公司");
        check("一心堂药业集团股份有限公司", "一心堂药业集团股份有限公司");
    }

    #[test]
    fn brackets_that_are_part_of_the_name_stay() {
        check(
            "康瑞投资管理合伙企业（有限合伙）",
            "康瑞投资管理合伙企业(有限合伙)",
        );
        check("康瑞医药有限公司(原平)", "康瑞医药有限公司(原平)");
    }

    #[test]
    fn words_for_none_are_no_names() {
        for name in [
            "",
            " ",
            "-",
            "/",
            "无",
            "不详",
            "N/A",
            "null",
            "12345",
            "（）",
            "甲方：",
        ] {
            check(name, "");
        }
    }

    #[test]
    fn branches_tell_their_parent() {
        for (name, parent) in [
            ("国药控股股份有限公司杭州分公司", Some("国药控股股份有限公司")),
            ("康瑞医药有限责任公司（杭州）分公司", Some("康瑞医药有限公司")),
            ("康瑞医药有限公司驻沪办事处", Some("康瑞医药有限公司")),
            (
                "康瑞医药有限公司浙江分公司西湖营业部",
                Some("康瑞医药有限公司浙江分公司"),
            ),
            ("仁和大药房连锁有限公司天河店", Some("仁和大药房连锁有限公司")),
            ("仁和大药房连锁有限公司第三分店", Some("仁和大药房连锁有限公司")),
            ("杭州市第一人民医院城东分院", Some("杭州市第一人民医院")),
            ("杭州市第一人民医院城东院区", Some("杭州市第一人民医院")),
            (
                "中国移动通信集团浙江有限公司杭州分公司",
                Some("中国移动通信集团浙江有限公司"),
            ),
            ("康瑞医药有限公司", None),
            ("杭州西湖大药房", None),
            ("中国医学科学院肿瘤医院深圳医院", None),
            ("康瑞集团有限公司", None),
            ("分公司", None),
        ] {
            assert_eq!(branch_of(name).as_deref(), parent, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(name in "[1-9一三甲方:：、（）()\\-.· a-c康瑞医药有限责任公司曾用名原分店]{0,24}") {
            let once = strict_key(&name);
            prop_assert_eq!(strict_key(&once), once);
        }

        #[test]
        fn the_short_way_for_plain_names_leads_where_the_long_one_does(
            name in "[一三甲方无不详康瑞医药有限责任公司曾用名原分店]{0,12}(有限责任公司)?"
        ) {
            // What is invisible vanishes, and takes the long way.
            let long = format!("{name}\u{200b}");
            prop_assert_eq!(strict_key(&name), strict_key(&long));
            prop_assert_eq!(han::tidy(&name), han::tidy(&long));
        }

        #[test]
        fn no_text_makes_it_panic(name in "\\PC{0,40}") {
            branch_of(&name);
        }
    }
}
