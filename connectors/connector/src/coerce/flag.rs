//! Yes and no.

/// True or false, in the words and marks that exports use; none for anything else.
pub fn parse(text: &str) -> Option<bool> {
    match text {
        "是" | "有" | "true" | "True" | "TRUE" | "Y" | "y" | "yes" | "Yes" | "YES" | "1" | "√" | "✓"
        | "✔" => Some(true),
        "否" | "无" | "没有" | "false" | "False" | "FALSE" | "N" | "n" | "no" | "No" | "NO" | "0" | "×"
        | "✗" | "✘" => Some(false),
        other if other.chars().any(|c| super::half_width(c) != c) => parse(&super::fold(other)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_marks() {
        for yes in ["是", "有", "Y", "true", "1", "√", "１", "Ｙ"] {
            assert_eq!(parse(yes), Some(true), "{yes}");
        }
        for no in ["否", "无", "N", "false", "0", "×", "０"] {
            assert_eq!(parse(no), Some(false), "{no}");
        }
        for neither in ["", "-", "2", "不详", "是否", "/"] {
            assert_eq!(parse(neither), None, "{neither}");
        }
    }
}
