//! Formats, encodings and names that files come with.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use connector::{Connector, TemporaryRawStore};
use domain::FailureKind;
use files::FilesConnector;
use parquet::arrow::ArrowWriter;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use tokio::sync::mpsc;

use crate::harness::{Dir, gb18030, key_datasets, keys, read_with};

const ORDERS: &str =
    "采购单号,行号,供应商名称,金额\nA1,1,杭州康瑞医药有限公司,\"1,234.50元\"\nA2,2,\"台州\n仁和\",３万元\n";

fn check_orders(dir: &Dir) {
    let outcome = dir.read();
    assert_eq!(outcome.reasons(), []);
    assert_eq!(outcome.column("purchase_orders", "order_id"), ["A1", "A2"]);
    assert_eq!(
        outcome.column("purchase_orders", "amount"),
        ["1234.50", "30000.00"]
    );
    assert_eq!(
        outcome.column("purchase_orders", "supplier_name"),
        ["杭州康瑞医药有限公司", "台州\n仁和"]
    );
    assert_eq!(outcome.column("purchase_orders", "#"), ["2", "3"]);
}

#[test]
fn every_encoding_gives_the_same_rows() {
    let utf16 = |big: bool| -> Vec<u8> {
        let units = "\u{feff}".encode_utf16().chain(ORDERS.encode_utf16());
        units
            .flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() })
            .collect()
    };
    for bytes in [
        ORDERS.as_bytes().to_vec(),
        format!("\u{feff}{ORDERS}").into_bytes(),
        gb18030(ORDERS),
        utf16(false),
        utf16(true),
        ORDERS
            .replace('\n', "\r\n")
            .replace("台州\r\n", "台州\n")
            .into_bytes(),
    ] {
        check_orders(&Dir::new().file("采购订单.csv", bytes));
    }
}

#[test]
fn every_delimiter_gives_the_same_rows() {
    for (ending, delimiter) in [("tsv", '\t'), ("csv", ';'), ("csv", '\t'), ("txt", '|')] {
        let text = ORDERS
            .replace(',', &delimiter.to_string())
            .replace(&format!("\"1{delimiter}234.50元\""), "\"1,234.50元\"");
        check_orders(&Dir::new().file(&format!("purchase_orders_2024.{ending}"), text));
    }
}

#[test]
fn labels_and_english_names_in_any_order() {
    let outcome = Dir::new()
        .file(
            "sub/workdays.csv",
            "备 注,ｄａｙ,是否工作日\n春节,2024-02-10,否\n",
        )
        .read();
    assert_eq!(outcome.column("workdays", "day"), ["2024-02-10"]);
    assert_eq!(outcome.column("workdays", "is_workday"), ["false"]);
    assert_eq!(outcome.column("workdays", "note"), ["春节"]);
}

#[test]
fn what_is_not_read_is_told() {
    let outcome = Dir::new()
        .file("workdays.csv", "day,心情\n2024-01-01,好\n\n,\n2024-01-02,\n")
        .file("orders.csv", "a,b\n1,2\n")
        .file("notes.md", "# hello\n")
        .file(".hidden/workdays.csv", "day\n2024-01-03\n")
        .file("~$workdays.xlsx", "lock")
        .read();
    assert_eq!(outcome.count("workdays"), 2);
    let told: Vec<_> = outcome
        .notices
        .iter()
        .map(|n| (n.code.as_str(), n.place.as_str(), n.count))
        .collect();
    assert_eq!(
        told,
        [
            ("FILE_NOT_READ", "notes.md", 1),
            ("FILE_NOT_READ", "orders.csv", 1),
            ("COLUMN_IGNORED", "workdays.csv: 心情", 1),
            ("BLANK_ROWS", "workdays.csv", 1),
        ]
    );
}

#[test]
fn a_header_may_state_the_unit() {
    let outcome = Dir::new()
        .file(
            "contracts.csv",
            "合同编号,合同金额（万元）\nC1,12.345678\nC2,3万元\n",
        )
        .read();
    assert_eq!(outcome.column("contracts", "amount"), ["123456.78"]);
    assert_eq!(outcome.reasons(), [(3, Some("amount"), "BAD_DECIMAL")]);
}

fn workbook(fill: impl FnOnce(&mut Workbook)) -> Vec<u8> {
    let mut book = Workbook::new();
    fill(&mut book);
    book.save_to_buffer().unwrap()
}

#[test]
fn cells_of_a_workbook_keep_their_types() {
    let bytes = workbook(|book| {
        let date = Format::new().set_num_format("yyyy-mm-dd");
        let time = Format::new().set_num_format("yyyy-mm-dd hh:mm");
        let sheet = book.add_worksheet().set_name("采购订单").unwrap();
        sheet.write(0, 0, "明细表").unwrap();
        for (n, header) in [
            "订单号",
            "行号",
            "数量",
            "单价",
            "采购日期",
            "收货日期",
            "合同编号",
        ]
        .iter()
        .enumerate()
        {
            sheet.write(2, n as u16, *header).unwrap();
        }
        sheet
            .write(3, 0, "A1")
            .unwrap()
            .write(3, 1, 1)
            .unwrap()
            .write(3, 2, 0.1 + 0.2)
            .unwrap();
        sheet.write(3, 3, 1.00005).unwrap();
        sheet
            .write_with_format(3, 4, ExcelDateTime::from_ymd(2024, 3, 5).unwrap(), &date)
            .unwrap();
        let moment = ExcelDateTime::from_ymd(2024, 3, 5)
            .unwrap()
            .and_hms(9, 30, 0)
            .unwrap();
        sheet.write_with_format(3, 5, moment, &time).unwrap();
        sheet.write(3, 6, 6_222_000_000_000_001.0).unwrap();
        // A serial day without a date format, a day as a number, and a number that may be a year.
        sheet
            .write(5, 0, "A2")
            .unwrap()
            .write(5, 1, 1)
            .unwrap()
            .write(5, 4, 45_356)
            .unwrap();
        sheet
            .write(6, 0, "A3")
            .unwrap()
            .write(6, 1, 1)
            .unwrap()
            .write(6, 4, 20_240_305)
            .unwrap();
        sheet
            .write(7, 0, "A4")
            .unwrap()
            .write(7, 1, 1)
            .unwrap()
            .write(7, 4, 2024.03)
            .unwrap();
        sheet
            .write(8, 0, "A5")
            .unwrap()
            .write(8, 1, 1)
            .unwrap()
            .write(8, 9, "出格")
            .unwrap();
        let notes = book.add_worksheet().set_name("说明").unwrap();
        notes.write(0, 0, "每月更新").unwrap();
    });
    let outcome = Dir::new().file("x.xlsx", bytes).read();
    assert_eq!(outcome.column("purchase_orders", "order_id"), ["A1", "A2", "A3"]);
    assert_eq!(outcome.column("purchase_orders", "#"), ["4", "6", "7"]);
    assert_eq!(
        outcome.column("purchase_orders", "quantity"),
        ["0.3000", "-", "-"]
    );
    assert_eq!(
        outcome.column("purchase_orders", "unit_price")[0],
        "1.0000",
        "1.00005 is half way: to even"
    );
    let midnight = "2024-03-04T16:00:00";
    assert_eq!(
        outcome.column("purchase_orders", "ordered_at"),
        [midnight, midnight, midnight]
    );
    assert_eq!(
        outcome.column("purchase_orders", "received_at")[0],
        "2024-03-05T01:30:00"
    );
    assert_eq!(
        outcome.column("purchase_orders", "contract_id")[0],
        "6222000000000001"
    );
    assert_eq!(
        outcome.reasons(),
        [
            (8, Some("ordered_at"), "BAD_TIMESTAMP"),
            (9, None, "WRONG_CELL_COUNT")
        ]
    );
    assert!(outcome.has_notice("DIGITS_LOST", "contract_id"));
    assert!(outcome.has_notice("SHEET_NOT_READ", "x.xlsx#说明"));
    assert!(outcome.has_notice("LINES_ABOVE_HEADER", "采购订单"));
    let raw = String::from_utf8(outcome.rejected[0].raw.clone()).unwrap();
    assert_eq!(raw, r#"{"订单号":"A4","行号":"1","采购日期":"2024.03"}"#);
}

#[test]
fn the_first_sheet_of_a_workbook_named_after_a_dataset() {
    let bytes = workbook(|book| {
        let sheet = book.add_worksheet();
        sheet
            .write(0, 0, "日期")
            .unwrap()
            .write(1, 0, "2024年1月1日")
            .unwrap();
        book.add_worksheet()
            .set_name("其他")
            .unwrap()
            .write(0, 0, "x")
            .unwrap();
    });
    let outcome = Dir::new().file("工作日历2024.xlsx", bytes).read();
    assert_eq!(outcome.column("workdays", "day"), ["2024-01-01"]);
    assert!(outcome.has_notice("SHEET_NOT_READ", "#其他"));
}

#[test]
fn old_workbooks_are_read_too() {
    let outcome = Dir::new()
        .file("workdays.xls", include_bytes!("../data/workdays.xls"))
        .read();
    assert_eq!(outcome.column("workdays", "day"), ["2024-01-01", "2024-01-02"]);
    assert_eq!(outcome.column("workdays", "is_workday"), ["false", "true"]);
    assert_eq!(outcome.column("workdays", "note"), ["元旦", "-"]);
}

#[test]
fn json_lines_and_documents() {
    let lines = "{\"合同编号\": \"C1\", \"amount\": 1234567890123456.78, \"extra\": 1}\n\n{\"contract_id\": \"C2\", \"amount\": \"3万\"}\n";
    let outcome = Dir::new().file("contracts.jsonl", lines).read();
    assert_eq!(
        outcome.column("contracts", "amount"),
        ["1234567890123456.78", "30000.00"]
    );
    assert_eq!(outcome.column("contracts", "#"), ["1", "3"]);
    assert!(outcome.has_notice("COLUMN_IGNORED", "contracts.jsonl: extra"));

    let list = gb18030("[{\"合同编号\": \"C1\", \"合同名称\": \"采购\"}, {\"contract_id\": null}, 3]");
    let outcome = Dir::new().file("合同.json", list).read();
    assert_eq!(outcome.column("contracts", "title"), ["采购"]);
    assert_eq!(
        outcome.reasons(),
        [(2, Some("contract_id"), "MISSING_KEY"), (3, None, "BAD_JSON")]
    );
}

#[test]
fn parquet_with_its_types() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("contract_id", Arc::new(StringArray::from(vec!["C1", "C2", "C3"]))),
        (
            "合同金额",
            Arc::new(Float64Array::from(vec![Some(0.125), Some(f64::NAN), None])),
        ),
        (
            "amended_amount",
            Arc::new(
                Decimal128Array::from(vec![Some(12_345_678), None, Some(1)])
                    .with_precision_and_scale(20, 4)
                    .unwrap(),
            ),
        ),
        (
            "signed_on",
            Arc::new(Date32Array::from(vec![Some(19_787), Some(0), None])),
        ),
        (
            "amendments",
            Arc::new(Int64Array::from(vec![Some(2), None, None])),
        ),
        (
            "starts_on",
            Arc::new(
                TimestampMillisecondArray::from(vec![Some(1_709_654_400_000), None, None])
                    .with_timezone("UTC"),
            ),
        ),
        ("flag", Arc::new(BooleanArray::from(vec![true, false, true]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let outcome = Dir::new().file("contracts.parquet", bytes).read();
    assert_eq!(outcome.column("contracts", "contract_id"), ["C1", "C3"]);
    assert_eq!(outcome.column("contracts", "amount"), ["0.12", "-"]);
    assert_eq!(outcome.column("contracts", "amended_amount"), ["1234.57", "0.00"]);
    assert_eq!(outcome.column("contracts", "signed_on"), ["2024-03-05", "-"]);
    assert_eq!(
        outcome.column("contracts", "starts_on"),
        ["2024-03-06", "-"],
        "16:00 UTC is the next day in China"
    );
    assert_eq!(outcome.column("contracts", "amendments"), ["2", "-"]);
    assert_eq!(outcome.reasons(), [(2, Some("amount"), "BAD_DECIMAL")]);
    assert!(outcome.has_notice("COLUMN_IGNORED", "flag"));
}

#[test]
fn threads_change_nothing() {
    // Several blocks, with a broken row now and then.
    let mut text = String::from("采购单号,行号,供应商名称,数量,备注\n");
    let remark = "加急".repeat(150);
    for n in 0..30_000 {
        let quantity = if n % 1009 == 5 {
            "见附件".to_owned()
        } else {
            n.to_string()
        };
        text.push_str(&format!("CG{n:09},1,杭州康瑞医药有限公司,{quantity},{remark}\n"));
    }
    let dir = Dir::new().file("purchase_orders.csv", gb18030(&text));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let outcomes: Vec<_> = [1, 2, 3]
        .iter()
        .map(|&threads| runtime.block_on(read_with(dir.path(), None, threads)).unwrap())
        .collect();
    assert!(outcomes[0].batches > 3);
    assert_eq!(outcomes[0].rejected.len(), 30);
    assert_eq!(outcomes[0].count("purchase_orders"), 30_000 - 30);
    let positions: Vec<u64> = outcomes[0]
        .column("purchase_orders", "#")
        .iter()
        .map(|p| p.parse().unwrap())
        .collect();
    assert!(positions.is_sorted());
    for other in &outcomes[1..] {
        assert_eq!(other.rows, outcomes[0].rows);
        assert_eq!(other.rejected, outcomes[0].rejected);
        assert_eq!(other.batches, outcomes[0].batches);
    }
}

#[test]
fn reading_stops_when_nobody_listens() {
    let mut text = String::from("day,note\n");
    for n in 0..500_000 {
        text.push_str(&format!("2024-01-01,{n:020}\n"));
    }
    let dir = Dir::new().file("workdays.csv", text);
    let connector = FilesConnector::new(dir.path(), None).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let failure = runtime.block_on(async {
        let (out, mut messages) = mpsc::channel(1);
        let reading = tokio::spawn(async move {
            connector
                .read(
                    connector::ReadRequest::new(
                        Arc::new(TemporaryRawStore::new().unwrap()),
                        chrono::DateTime::UNIX_EPOCH,
                    ),
                    out,
                )
                .await
        });
        messages.recv().await.unwrap();
        drop(messages);
        reading.await.unwrap().unwrap_err()
    });
    assert_eq!(failure.kind, FailureKind::Cancelled);
}

#[test]
fn discovery_names_each_file_and_its_dataset() {
    let dir = Dir::new()
        .file("b/bids.csv", "x")
        .file("a.txt", "")
        .file("采购订单1.csv", "")
        .file("z.bin", "");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let connector = FilesConnector::new(dir.path(), None).unwrap();
    runtime.block_on(connector.check()).unwrap();
    let found = runtime.block_on(connector.discover()).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|d| (d.place.as_str(), d.dataset.as_deref(), d.bytes))
        .collect();
    assert_eq!(
        found,
        [
            ("a.txt", None, 0),
            ("b/bids.csv", Some("bids"), 1),
            ("z.bin", None, 0),
            ("采购订单1.csv", Some("purchase_orders"), 0)
        ]
    );
    let missing = FilesConnector::new("/nonexistent/dir", None).unwrap();
    assert_eq!(
        runtime.block_on(missing.check()).unwrap_err().reason,
        "DIRECTORY_UNREADABLE"
    );
}

#[test]
fn ten_thousand_files() {
    let mut dir = Dir::new();
    for n in 0..10_000 {
        dir = dir.file(
            &format!("d{}/workdays_{n}.csv", n % 100),
            format!("day,note\n2024-01-01,{n}\n"),
        );
    }
    let outcome = dir.read();
    assert_eq!(outcome.count("workdays"), 10_000);
    assert_eq!(outcome.reasons(), []);
}

#[test]
fn keys_are_those_of_every_row_and_of_none_that_cannot_be_read() {
    let dir = Dir::new()
        .file("workdays.csv", "day,note\n2024-01-01,a\n2024-01-02,b\n")
        .file("workdays_2025.csv", "day,note\n2025-01-01,c\n")
        .file("contracts.csv", "合同编号,合同金额\nC1,5\n合计,5\n");
    assert_eq!(
        keys(dir.path()).unwrap(),
        [
            "contracts C1",
            "workdays 2024-01-01",
            "workdays 2024-01-02",
            "workdays 2025-01-01"
        ]
    );
    // A file that has lost all of its rows still speaks of its dataset.
    let emptied = Dir::new().file("workdays.csv", "day,note\n");
    assert_eq!(key_datasets(emptied.path()).unwrap(), ["workdays"]);
    // One that is passed over for its name alone may hold the rows that seem gone.
    let renamed = emptied.file("采购订单2023备份.csv", "order_id,line_no\nA1,1\n");
    assert_eq!(keys(renamed.path()).unwrap_err().reason, "KEY_UNKNOWN");
    let dir = dir.file("works_events.csv", "event_id,on_date\nE1,2024-02-30\n");
    let failure = keys(dir.path()).unwrap_err();
    assert_eq!(failure.reason, "KEY_UNKNOWN");
    assert!(
        failure.message.contains("works_events.csv:2"),
        "{}",
        failure.message
    );
}
