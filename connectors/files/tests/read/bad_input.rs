//! Bad files and bad rows: each is told, and costs no more than itself. `docs/bad-input.md` tables these.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use files::FilesConnector;
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use rust_xlsxwriter::Workbook;
use zip::write::SimpleFileOptions;

use crate::harness::{Dir, Outcome, gb18030};

/// Reads one file that stands for workdays.
fn read(name: &str, bytes: impl AsRef<[u8]>) -> Outcome {
    Dir::new().file(name, bytes).read()
}

fn refused(outcome: &Outcome, reason: &str) {
    assert_eq!(outcome.reasons(), [(0, None, reason)], "{:?}", outcome.rejected);
    assert!(!outcome.rejected[0].detail.is_empty(), "{reason} has no words");
    assert_eq!(outcome.rows.len(), 0);
}

#[test]
fn rows_with_too_few_or_too_many_cells() {
    let outcome = read(
        "workdays.csv",
        "day,note\n2024-01-01\n2024-01-02,a,b\n2024-01-03,a,,\n2024-01-04,\n",
    );
    assert_eq!(outcome.column("workdays", "day"), ["2024-01-03", "2024-01-04"]);
    assert_eq!(
        outcome.reasons(),
        [(2, None, "WRONG_CELL_COUNT"), (3, None, "WRONG_CELL_COUNT")]
    );
    assert_eq!(outcome.rejected[1].raw, b"2024-01-02,a,b");
}

#[test]
fn absurd_dates_and_amounts() {
    let text = "合同编号,签订日期,合同金额,变更次数\n\
        C1,2024-13-45,1,\nC2,9999-12-31,1,\nC3,1024-01-01,1,\nC4,2024-02-30,1,\n\
        C5,2024-01-01,99999999999999999999,\nC6,2024-01-01,1e9,\nC7,2024-01-01,\"1,23\",\nC8,2024-01-01,1,2.5\n\
        C9,2024-01-01,-5,\n";
    let outcome = read("contracts.csv", text);
    assert_eq!(outcome.column("contracts", "contract_id"), ["C9"]);
    assert_eq!(
        outcome.reasons(),
        [
            (2, Some("signed_on"), "BAD_DATE"),
            (3, Some("signed_on"), "DATE_OUT_OF_RANGE"),
            (4, Some("signed_on"), "DATE_OUT_OF_RANGE"),
            (5, Some("signed_on"), "BAD_DATE"),
            (6, Some("amount"), "DECIMAL_OUT_OF_RANGE"),
            (7, Some("amount"), "BAD_DECIMAL"),
            (8, Some("amount"), "BAD_DECIMAL"),
            (9, Some("amendments"), "BAD_INT"),
        ]
    );
}

#[test]
fn unknown_codes_truth_values_and_empty_keys() {
    let outcome = read(
        "bids.csv",
        "投标编号,状态,是否中标\nB1,有效,是\nB2,也许,是\nB3,有效,大概\n,有效,是\n",
    );
    assert_eq!(outcome.column("bids", "status"), ["valid"]);
    assert_eq!(
        outcome.reasons(),
        [
            (3, Some("status"), "UNKNOWN_CODE"),
            (4, Some("is_winner"), "BAD_BOOL"),
            (5, Some("bid_id"), "MISSING_KEY")
        ]
    );
}

#[test]
fn broken_bytes_cost_their_row() {
    for encode in [|t: &str| t.as_bytes().to_vec(), gb18030] {
        let mut bytes = encode("日期,备注\n2024-01-01,元旦\n2024-01-02,坏");
        bytes.extend(b"\xff\xff\n");
        bytes.extend(encode("2024-01-03,工作日\n2024-01-04,平常\n"));
        let outcome = read("workdays.csv", bytes);
        assert_eq!(outcome.column("workdays", "note"), ["元旦", "工作日", "平常"]);
        assert_eq!(outcome.reasons(), [(3, Some("note"), "BAD_ENCODING")]);
        assert!(
            outcome.rejected[0].raw.ends_with(b"\xff\xff"),
            "the bytes as they were"
        );
    }
}

#[test]
fn nul_bytes_late_in_a_file_cost_their_row() {
    let mut bytes = b"day,note\n".to_vec();
    for _ in 0..10_000 {
        bytes.extend(b"2024-01-01,ok\n");
    }
    bytes.extend(b"2024-01-02,\0\n2024-01-03,ok\n");
    let outcome = read("workdays.csv", bytes);
    assert_eq!(outcome.reasons(), [(10_002, None, "BAD_ENCODING")]);
    assert_eq!(outcome.count("workdays"), 10_001);
}

#[test]
fn quotes_that_do_not_close() {
    let outcome = read(
        "workdays.csv",
        "day,note\n2024-01-01,\"open\n2024-01-02,b\n2024-01-03,\"x\"y\n2024-01-04,5\"管\n",
    );
    assert_eq!(outcome.column("workdays", "note"), ["b", "5\"管"]);
    assert_eq!(
        outcome.reasons(),
        [(2, None, "BAD_QUOTING"), (4, None, "BAD_QUOTING")]
    );
}

#[test]
fn a_line_without_end() {
    let mut text = "day,note\n2024-01-01,a\n2024-01-02,".to_owned();
    text.push_str(&"x".repeat(12 << 20));
    text.push_str("\n2024-01-03,c\n");
    let outcome = read("workdays.csv", text);
    assert_eq!(outcome.column("workdays", "day"), ["2024-01-01", "2024-01-03"]);
    assert_eq!(outcome.reasons(), [(3, None, "ROW_TOO_LONG")]);
    assert_eq!(outcome.rejected[0].raw.len(), connector::message::RAW_BYTES_MAX);
}

#[test]
fn files_that_are_no_text() {
    refused(
        &read("workdays.csv", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"),
        "BINARY_FILE",
    );
    refused(&read("workdays.csv", b""), "EMPTY_FILE");
    refused(&read("workdays.jsonl", b"\0\0\0"), "BINARY_FILE");
    let book = read("workdays.csv", one_sheet(&[&["日期"], &["2024-01-01"]]));
    refused(&book, "BINARY_FILE");
    assert!(book.rejected[0].detail.contains("XLSX"));
}

#[test]
fn headers_that_cannot_be_read() {
    refused(&read("workdays.csv", "a,b\n1,2\n"), "MISSING_HEADER");
    refused(
        &read("workdays.csv", "day,日期\n2024-01-01,2024-01-01\n"),
        "DUPLICATE_COLUMN",
    );
    let outcome = read("purchase_orders.csv", "采购单号,金额\nA1,1\n");
    refused(&outcome, "MISSING_KEY_COLUMN");
    assert!(
        outcome.rejected[0].detail.contains("行号"),
        "{}",
        outcome.rejected[0].detail
    );
    let only_header = read("workdays.csv", "day,note\n");
    assert_eq!(
        (only_header.count("workdays"), only_header.rejected.len()),
        (0, 0)
    );
}

#[test]
fn one_percent_of_broken_rows() {
    let mut text = "day,note\n".to_owned();
    for n in 0..20_000 {
        text.push_str(if n % 100 == 7 {
            "2024-99-99,x\n"
        } else {
            "2024-01-01,x\n"
        });
    }
    let outcome = read("workdays.csv", text);
    assert_eq!((outcome.count("workdays"), outcome.rejected.len()), (19_800, 200));
    assert!(
        outcome
            .rejected
            .iter()
            .all(|r| r.reason.code() == "BAD_DATE" && r.raw == b"2024-99-99,x")
    );
}

#[test]
fn truncated_text() {
    let outcome = read(
        "workdays.csv",
        "day,note,is_workday\n2024-01-01,a,是\n2024-01-02,b",
    );
    assert_eq!(outcome.reasons(), [(3, None, "WRONG_CELL_COUNT")]);
    let outcome = read("workdays.jsonl", "{\"day\": \"2024-01-01\"}\n{\"day\": \"2024-");
    assert_eq!(
        (outcome.count("workdays"), outcome.reasons()),
        (1, vec![(2, None, "BAD_JSON")])
    );
    refused(
        &read("workdays.json", "[{\"day\": \"2024-01-01\"}, {\"day\":"),
        "DAMAGED_FILE",
    );
    refused(&read("workdays.json", "{\"data\": []}"), "MISSING_PART");
}

fn one_sheet(rows: &[&[&str]]) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (r, row) in rows.iter().enumerate() {
        for (c, cell) in row.iter().enumerate() {
            sheet.write(r as u32, c as u16, *cell).unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

#[test]
fn truncated_and_damaged_workbooks() {
    let whole = one_sheet(&[&["日期", "备注"], &["2024-01-01", "元旦"]]);
    assert_eq!(read("workdays.xlsx", &whole).count("workdays"), 1);
    for length in [5, 100, whole.len() / 2, whole.len() - 1] {
        refused(&read("workdays.xlsx", &whole[..length]), "DAMAGED_FILE");
    }
    refused(
        &read(
            "workdays.xls",
            "<html><table><tr><td>日期</td></tr></table></html>",
        ),
        "DAMAGED_FILE",
    );
    refused(
        &read(
            "workdays.xls",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and nothing behind it",
        ),
        "DAMAGED_FILE",
    );
    let old = include_bytes!("../data/workdays.xls");
    refused(&read("workdays.xls", &old[..old.len() / 2]), "DAMAGED_FILE");
    refused(&read("workdays.xlsx", b""), "EMPTY_FILE");
}

#[test]
fn workbooks_with_a_password() {
    let mut bytes = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    bytes.extend([0; 500]);
    bytes.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    refused(&read("workdays.xlsx", bytes), "PASSWORD_PROTECTED");
}

#[test]
fn errors_of_formulas() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet
        .write(0, 0, "日期")
        .unwrap()
        .write(0, 1, "备注")
        .unwrap()
        .write(1, 0, "2024-01-01")
        .unwrap();
    sheet
        .write_formula(1, 1, rust_xlsxwriter::Formula::new("=1/0").set_result("#DIV/0!"))
        .unwrap();
    let outcome = read("workdays.xlsx", book.save_to_buffer().unwrap());
    assert_eq!(outcome.reasons(), [(2, Some("note"), "CELL_ERROR")]);
}

/// A workbook in which the named part is replaced by what `fill` writes.
fn swollen(part: &str, fill: impl FnOnce(&mut dyn Write)) -> Vec<u8> {
    let whole = one_sheet(&[&["日期"], &["2024-01-01"]]);
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(whole)).unwrap();
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut fill = Some(fill);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        out.start_file(name.as_str(), SimpleFileOptions::default().large_file(true))
            .unwrap();
        match fill.take_if(|_| name == part) {
            Some(fill) => fill(&mut out),
            None => {
                std::io::copy(&mut entry, &mut out).unwrap();
            }
        }
    }
    out.finish().unwrap().into_inner()
}

#[test]
fn zip_bombs() {
    let texts = swollen("xl/sharedStrings.xml", |out| {
        out.write_all(b"<sst xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">")
            .unwrap();
        let item = "<si><t>x</t></si>".repeat(50_000);
        for _ in 0..400 {
            out.write_all(item.as_bytes()).unwrap();
        }
        out.write_all(b"</sst>").unwrap();
    });
    assert!(texts.len() < 4 << 20, "{}", texts.len());
    refused(&read("workdays.xlsx", texts), "TOO_LARGE");
    let one_text = swollen("xl/worksheets/sheet1.xml", |out| {
        out.write_all(b"<worksheet><sheetData><row><c t=\"inlineStr\"><is><t>")
            .unwrap();
        for _ in 0..8 {
            out.write_all(&vec![b'x'; 1 << 20]).unwrap();
        }
        out.write_all(b"</t></is></c></row></sheetData></worksheet>")
            .unwrap();
    });
    refused(&read("workdays.xlsx", one_text), "TOO_LARGE");
}

#[test]
fn truncated_parquet() {
    let column: ArrayRef = Arc::new(StringArray::from_iter_values((0..5000).map(|n| format!("C{n}"))));
    let batch = RecordBatch::try_from_iter([("contract_id", column)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert_eq!(read("contracts.parquet", &bytes).count("contracts"), 5000);
    for length in [4, bytes.len() / 2, bytes.len() - 1] {
        refused(&read("contracts.parquet", &bytes[..length]), "DAMAGED_FILE");
    }
    refused(&read("contracts.parquet", "no parquet at all"), "DAMAGED_FILE");
    let mut flipped = bytes.clone();
    flipped[2000..2600].fill(0xa5);
    let outcome = read("contracts.parquet", flipped);
    assert!(outcome.count("contracts") < 5000 && outcome.reasons().contains(&(0, None, "DAMAGED_FILE")));
}

#[test]
fn codes_of_a_mapping_are_all_there_are() {
    let dir = Dir::new().file("o.csv", "平台订单号,state,金额\nP1,3,1\nP2,已收货,2\nP3,4,3\n");
    let outcome = dir.read_mapped(
        "[[file]]\nglob='o.csv'\ndataset='platform_orders'\n[file.columns]\nstatus={from='state', codes={'3'='received'}}\n",
    );
    assert_eq!(
        outcome.column("platform_orders", "status"),
        ["received", "received"]
    );
    assert_eq!(outcome.reasons(), [(4, Some("status"), "UNKNOWN_CODE")]);
}

#[test]
fn mappings_that_do_not_fit() {
    let dir = Dir::new()
        .file("a.csv", "x,y\n2024-01-01,1\n")
        .file("b.xlsx", one_sheet(&[&["日期"], &["2024-01-01"]]));
    let outcome = dir.read_mapped(
        "[[file]]\nglob='a.csv'\ndataset='workdays'\n[file.columns]\nday='x'\nnote='z'\n\
         [[file]]\nglob='b.xlsx'\nsheet='没有'\ndataset='workdays'\n[[file]]\nglob='c*.csv'\nskip='none yet'\n",
    );
    assert_eq!(outcome.column("workdays", "day"), ["2024-01-01"]);
    assert_eq!(outcome.reasons(), [(0, None, "MISSING_PART")]);
    assert!(outcome.has_notice("COLUMN_MISSING", "a.csv: note"));
    assert!(outcome.has_notice("COLUMN_IGNORED", "a.csv: y"));
    assert!(outcome.has_notice("SHEET_NOT_READ", "b.xlsx#Sheet1"));
    assert!(outcome.has_notice("ENTRY_MATCHES_NOTHING", "c*.csv"));

    let outcome = dir.read_mapped("[[file]]\nglob='a.csv'\ndataset='workdays'\n[file.columns]\nday='day'\n");
    refused(&outcome, "MISSING_HEADER");
    let outcome = dir
        .read_mapped("[[file]]\nglob='a.csv'\ndataset='workdays'\nheader_row=1\n[file.columns]\nday='day'\n");
    refused(&outcome, "MISSING_KEY_COLUMN");
    let wrong = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(wrong.path(), "unknown_key = 1").unwrap();
    let failure = domain::Failure::from(FilesConnector::new(dir.path(), Some(wrong.path())).unwrap_err());
    assert_eq!(failure.reason, "MAPPING_INVALID");
    assert!(failure.message.contains("unknown_key"), "{}", failure.message);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever the bytes are, reading ends and no program stops.
    #[test]
    fn any_bytes_at_all(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0usize..6, ending in 0usize..6) {
        let start: &[u8] = [b"".as_slice(), b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PAR1", b"day,note\n", b"\xff\xfe"][start];
        let ending = ["csv", "xlsx", "xls", "jsonl", "json", "parquet"][ending];
        let outcome = read(&format!("workdays.{ending}"), [start, &bytes].concat());
        prop_assert!(outcome.rejected.iter().all(|r| &*r.dataset == "workdays"));
    }

    /// Every line below the header is a row or a rejected one, once.
    #[test]
    fn every_line_is_accounted_for(lines in prop::collection::vec("[0-9a-z,.年万\u{ff01}-]{1,12}", 0..60), gb in any::<bool>()) {
        let text = format!("day,note\n2024-01-01,x\n{}\n", lines.join("\n"));
        let bytes = if gb { gb18030(&text) } else { text.into_bytes() };
        let outcome = read("workdays.csv", bytes);
        let blank = lines.iter().filter(|l| l.chars().all(|c| c == ',')).count();
        let mut seen: Vec<u64> = outcome.column("workdays", "#").iter().map(|p| p.parse().unwrap()).collect();
        seen.extend(outcome.rejected.iter().map(|r| r.position));
        seen.sort_unstable();
        let before = seen.len();
        seen.dedup();
        prop_assert_eq!(seen.len(), before);
        prop_assert_eq!(seen.len(), 1 + lines.len() - blank);
    }

    /// A file says the same in GB18030 as in UTF-8, whether its blocks can be decoded at once or, because of one
    /// broken line, only cell by cell.
    #[test]
    fn an_encoding_changes_nothing(
        table in prop::collection::vec(("[a-z]{0,2}", "[a-c,\"|東高中\n]{0,5}"), 0..20),
        raw in prop::collection::vec("[a-c,;\"高]{0,6}", 0..4),
        delimiter in 0usize..4,
        is_spoiled in any::<bool>(),
    ) {
        let delimiter = [',', ';', '\t', '|'][delimiter];
        // The second byte of this character is `|`, which only a whole line shows.
        prop_assume!(!(is_spoiled && delimiter == '|'));
        let mut text = format!("day{delimiter}note\n2024-01-01{delimiter}東\n");
        for (n, (day, note)) in table.iter().enumerate() {
            let day = if day.is_empty() { format!("2024-01-{:02}", n + 2) } else { day.clone() };
            text.push_str(&format!("{day}{delimiter}\"{}\"\n", note.replace('"', "\"\"")));
        }
        for line in &raw {
            text.push_str(&format!("2024-02-01{delimiter}{line}\n"));
        }
        let spoil = |mut bytes: Vec<u8>| {
            if is_spoiled {
                bytes.extend(format!("2024-03-01{delimiter}").as_bytes());
                bytes.extend(b"\xff\xff\n");
            }
            read("workdays.csv", bytes)
        };
        let (utf8, gb) = (spoil(text.clone().into_bytes()), spoil(gb18030(&text)));
        prop_assert_eq!(&utf8.rows, &gb.rows);
        prop_assert_eq!(utf8.reasons(), gb.reasons());
        prop_assert!(utf8.count("workdays") > 0);
    }
}
