//! Why a row was quarantined: stable codes with their explanation.

use domain::Bilingual;
use serde::{Deserialize, Serialize};

/// Why a row, or a whole file, was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    // === One value ===
    BadDecimal,
    DecimalOutOfRange,
    BadInt,
    BadDate,
    DateOutOfRange,
    BadTimestamp,
    BadBool,
    UnknownCode,
    /// A key column is empty.
    MissingKey,
    /// A key column has the word for a total: the row adds up others.
    TotalsRow,
    /// A list or an object where one value was expected.
    NotAScalar,
    /// A formula of a spreadsheet that gives an error (`#REF!`).
    CellError,
    // === One row ===
    /// More or fewer cells than the header.
    WrongCellCount,
    /// Bytes that do not belong to the file's encoding.
    BadEncoding,
    /// A quoted cell that never ends, or text after a closing quote.
    BadQuoting,
    /// A record that is no JSON object.
    BadJson,
    /// One row is longer than the reader's limit.
    RowTooLong,
    /// A pushed row has a field that the dataset does not have.
    UnknownField,
    /// A record lacks a member that the mapping requires: the source has lost or renamed it.
    MissingColumn,
    /// A second record with an id that was to be used once, and other content.
    DuplicateId,
    /// An amount in another currency than the one configured.
    OtherCurrency,
    // === A whole file ===
    /// Bytes that are no text, in a text file.
    BinaryFile,
    EmptyFile,
    DuplicateColumn,
    MissingKeyColumn,
    /// No line looks like a header.
    MissingHeader,
    /// The file ends in the middle or is damaged.
    DamagedFile,
    PasswordProtected,
    /// Unpacks to more than the limits allow.
    TooLarge,
    /// The mapping names a sheet or a place in the file that is not there.
    MissingPart,
    /// A vendor's connector says that it cannot read the row.
    RejectedByConnector,
}

impl Reason {
    pub const ALL: [Reason; 31] = [
        Self::BadDecimal,
        Self::DecimalOutOfRange,
        Self::BadInt,
        Self::BadDate,
        Self::DateOutOfRange,
        Self::BadTimestamp,
        Self::BadBool,
        Self::UnknownCode,
        Self::MissingKey,
        Self::TotalsRow,
        Self::NotAScalar,
        Self::CellError,
        Self::WrongCellCount,
        Self::BadEncoding,
        Self::BadQuoting,
        Self::BadJson,
        Self::RowTooLong,
        Self::UnknownField,
        Self::MissingColumn,
        Self::DuplicateId,
        Self::OtherCurrency,
        Self::BinaryFile,
        Self::EmptyFile,
        Self::DuplicateColumn,
        Self::MissingKeyColumn,
        Self::MissingHeader,
        Self::DamagedFile,
        Self::PasswordProtected,
        Self::TooLarge,
        Self::MissingPart,
        Self::RejectedByConnector,
    ];

    /// UPPER_SNAKE, stable: what programs match on.
    pub fn code(self) -> &'static str {
        match self {
            Self::BadDecimal => "BAD_DECIMAL",
            Self::DecimalOutOfRange => "DECIMAL_OUT_OF_RANGE",
            Self::BadInt => "BAD_INT",
            Self::BadDate => "BAD_DATE",
            Self::DateOutOfRange => "DATE_OUT_OF_RANGE",
            Self::BadTimestamp => "BAD_TIMESTAMP",
            Self::BadBool => "BAD_BOOL",
            Self::UnknownCode => "UNKNOWN_CODE",
            Self::MissingKey => "MISSING_KEY",
            Self::TotalsRow => "TOTALS_ROW",
            Self::NotAScalar => "NOT_A_SCALAR",
            Self::CellError => "CELL_ERROR",
            Self::WrongCellCount => "WRONG_CELL_COUNT",
            Self::BadEncoding => "BAD_ENCODING",
            Self::BadQuoting => "BAD_QUOTING",
            Self::BadJson => "BAD_JSON",
            Self::RowTooLong => "ROW_TOO_LONG",
            Self::UnknownField => "UNKNOWN_FIELD",
            Self::MissingColumn => "MISSING_COLUMN",
            Self::DuplicateId => "DUPLICATE_ID",
            Self::OtherCurrency => "OTHER_CURRENCY",
            Self::BinaryFile => "BINARY_FILE",
            Self::EmptyFile => "EMPTY_FILE",
            Self::DuplicateColumn => "DUPLICATE_COLUMN",
            Self::MissingKeyColumn => "MISSING_KEY_COLUMN",
            Self::MissingHeader => "MISSING_HEADER",
            Self::DamagedFile => "DAMAGED_FILE",
            Self::PasswordProtected => "PASSWORD_PROTECTED",
            Self::TooLarge => "TOO_LARGE",
            Self::MissingPart => "MISSING_PART",
            Self::RejectedByConnector => "REJECTED_BY_CONNECTOR",
        }
    }

    /// What it means and what to do.
    pub fn text(self) -> Bilingual {
        let (zh, en) = match self {
            Self::BadDecimal => ("不是数字，请改为数字", "is no number; correct it at the source"),
            Self::DecimalOutOfRange => ("数值超出该列允许的范围", "is a number too large for the column"),
            Self::BadInt => ("不是整数", "is no whole number"),
            Self::BadDate => ("不是存在的日期", "is no date that exists"),
            Self::DateOutOfRange => (
                "日期早于1900年或晚于2200年",
                "is a date before 1900 or after 2200",
            ),
            Self::BadTimestamp => ("不是存在的时间", "is no time that exists"),
            Self::BadBool => ("不是“是”或“否”", "is neither yes nor no"),
            Self::UnknownCode => (
                "不是该列的代码，请更正，或在映射文件中用 codes 说明",
                "is no code of this column; correct it, or declare it under codes in the mapping",
            ),
            Self::MissingKey => ("主键列为空", "a key column is empty"),
            Self::TotalsRow => (
                "是合计行，不是数据；可在映射文件中用 not_data 列出",
                "adds up other rows and is no data; a mapping may list it under not_data",
            ),
            Self::NotAScalar => (
                "应为单个值，却是列表或对象",
                "is a list or an object where one value is expected",
            ),
            Self::CellError => ("单元格公式出错", "is the error of a formula"),
            Self::WrongCellCount => ("单元格数与表头不一致", "has more or fewer cells than the header"),
            Self::BadEncoding => (
                "含有不属于文件编码的字节",
                "has bytes that do not belong to the file's encoding",
            ),
            Self::BadQuoting => ("引号不成对", "has a quote that does not close"),
            Self::BadJson => ("不是JSON对象", "is no JSON object"),
            Self::RowTooLong => ("一行过长", "is longer than a row may be"),
            Self::UnknownField => (
                "含有数据集没有的字段",
                "has a field that the dataset does not have",
            ),
            Self::MissingColumn => (
                "缺少映射所指的字段；来源可能已改名，若可省略请列入 optional",
                "lacks a member that the mapping names; the source may have renamed it, or list it under optional",
            ),
            Self::DuplicateId => (
                "编号与同一记录中的另一项重复而内容不同",
                "has the id of another part of the same record, with other content",
            ),
            Self::OtherCurrency => (
                "金额不是所配置的币种",
                "has an amount in another currency than the one configured",
            ),
            Self::BinaryFile => ("文本文件中是二进制内容", "is a text file with binary content"),
            Self::EmptyFile => ("文件为空", "is empty"),
            Self::DuplicateColumn => ("两列对应同一字段", "has two columns for one field"),
            Self::MissingKeyColumn => ("缺少主键列", "lacks a key column"),
            Self::MissingHeader => ("找不到表头", "has no line that looks like a header"),
            Self::DamagedFile => ("文件不完整或已损坏", "is truncated or damaged"),
            Self::PasswordProtected => (
                "文件有密码，请去除密码后再导入",
                "is protected by a password; remove it first",
            ),
            Self::TooLarge => ("解压后超过限额", "unpacks to more than is allowed"),
            Self::MissingPart => (
                "映射文件所指的工作表或位置不存在",
                "lacks the sheet or place that the mapping names",
            ),
            Self::RejectedByConnector => (
                "厂商连接器无法读取该行",
                "could not be read by the vendor's connector",
            ),
        };
        Bilingual::new(zh, en)
    }

    /// What it means of a whole file: the detail where there is nothing more to say.
    pub fn of_file(self) -> String {
        let text = self.text();
        format!("the file {} / {}", text.en, text.zh)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_refused_in_words() {
        assert_eq!(
            Reason::PasswordProtected.of_file(),
            "the file is protected by a password; remove it first / 文件有密码，请去除密码后再导入"
        );
    }

    #[test]
    fn codes_are_distinct_and_are_the_serialised_form() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            assert!(seen.insert(reason.code()), "{reason} twice");
            assert_eq!(
                serde_json::to_string(&reason).unwrap(),
                format!("\"{}\"", reason.code())
            );
            assert!(!reason.text().zh.is_empty() && !reason.text().en.is_empty());
        }
    }
}
