//! Amounts written in Chinese numerals, as on contracts and cheques: 壹佰贰拾万元整.

use super::decimal::Number;

/// The amount in yuan, or none when it is not written that way throughout.
pub fn amount(text: &str) -> Option<Number> {
    let text = text.strip_suffix(['整', '正']).unwrap_or(text);
    let (yuan, rest) = match text.find(['元', '圆']) {
        Some(at) => {
            let mark = text[at..].chars().next()?.len_utf8();
            (whole(&text[..at])?, &text[at + mark..])
        }
        None => (whole(text)?, ""),
    };
    let mut fen: i128 = 0;
    let mut pending: Option<i128> = None;
    // 角 comes once, before 分 which comes once.
    let mut last_unit = 100;
    for c in rest.chars() {
        match c {
            '角' | '分' => {
                let unit = if c == '角' { 10 } else { 1 };
                if unit >= last_unit {
                    return None;
                }
                last_unit = unit;
                fen += pending.take()? * unit;
            }
            c => {
                let value = digit(c)?;
                if pending.is_some_and(|p| p != 0) {
                    return None;
                }
                pending = Some(value);
            }
        }
    }
    if pending.is_some_and(|p| p != 0) {
        return None;
    }
    Some(Number {
        digits: yuan * 100 + fen,
        exponent: -2,
    })
}

fn whole(text: &str) -> Option<i128> {
    if text.is_empty() {
        return None;
    }
    // Below 亿, below 万, below the next unit, and the digit that waits for its unit.
    let (mut total, mut section, mut pending): (i128, i128, Option<i128>) = (0, 0, None);
    for c in text.chars() {
        let unit = match c {
            '十' | '拾' => 10,
            '百' | '佰' => 100,
            '千' | '仟' => 1000,
            '万' => 10_000,
            '亿' => 100_000_000,
            c => {
                let value = digit(c)?;
                if pending.is_some_and(|p| p != 0) {
                    return None;
                }
                pending = Some(value);
                continue;
            }
        };
        if unit < 10_000 {
            // 十二 means 一十二.
            let count = pending
                .take()
                .unwrap_or(if unit == 10 && section == 0 { 1 } else { 0 });
            if count == 0 {
                return None;
            }
            section += count * unit;
        } else {
            let below = section + pending.take().unwrap_or(0);
            let below = if unit == 100_000_000 { total + below } else { below };
            if below == 0 {
                return None;
            }
            total = if unit == 100_000_000 {
                below.checked_mul(unit)?
            } else {
                total + below * unit
            };
            section = 0;
        }
    }
    Some(total + section + pending.unwrap_or(0))
}

fn digit(c: char) -> Option<i128> {
    Some(match c {
        '零' | '〇' => 0,
        '一' | '壹' => 1,
        '二' | '贰' | '两' => 2,
        '三' | '叁' => 3,
        '四' | '肆' => 4,
        '五' | '伍' => 5,
        '六' | '陆' => 6,
        '七' | '柒' => 7,
        '八' | '捌' => 8,
        '九' | '玖' => 9,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (text, fen) in [
            ("壹佰万元整", 100_000_000),
            ("壹拾贰万叁仟肆佰伍拾陆元柒角捌分", 12_345_678),
            ("十二元", 1_200),
            ("三万零五十元", 3_005_000),
            ("壹亿零贰拾万元正", 10_020_000_000),
            ("伍圆零叁分", 503),
            ("两千元", 200_000),
            ("零元", 0),
        ] {
            assert_eq!(
                amount(text),
                Some(Number {
                    digits: fen,
                    exponent: -2
                }),
                "{text}"
            );
        }
    }

    #[test]
    fn other_words_are_none() {
        for text in [
            "见附件",
            "",
            "元",
            "一二元",
            "万元",
            "一元二",
            "一元二分三角",
            "百元",
            "五角",
        ] {
            assert_eq!(amount(text), None, "{text}");
        }
    }
}
