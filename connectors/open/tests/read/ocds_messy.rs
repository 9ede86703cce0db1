//! OCDS as it comes: encodings, wrong kinds, broken records. Each costs no more than itself.

use crate::harness::read;

const CONFIG: &str = "kind = \"ocds\"\n";

fn release(n: u32, title: &str) -> String {
    format!(r#"{{"ocid": "P{n}", "tag": ["compiled"], "tender": {{"title": "{title}"}}}}"#)
}

#[test]
fn every_encoding() {
    let lines = format!("{}\n{}\n", release(1, "公开招标采购"), release(2, "耗材项目"));
    let document = format!("[{},\n{}]", release(1, "公开招标采购"), release(2, "耗材项目"));
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() })
            .collect()
    };
    let marked = |text: &str| format!("\u{feff}{text}");
    for text in [&lines, &document] {
        let variants: [(&str, Vec<u8>); 7] = [
            ("utf-8", text.clone().into_bytes()),
            ("utf-8 with mark", marked(text).into_bytes()),
            ("utf-16le with mark", utf16(&marked(text), false)),
            ("utf-16be with mark", utf16(&marked(text), true)),
            ("utf-16le", utf16(text, false)),
            ("utf-16be", utf16(text, true)),
            ("gb18030", encoding_rs::GB18030.encode(text).0.into_owned()),
        ];
        for (name, bytes) in variants {
            let outcome = read(CONFIG, "a.json", bytes);
            assert_eq!(
                outcome.column("tenders", "title"),
                ["公开招标采购", "耗材项目"],
                "{name}"
            );
            assert_eq!(outcome.column("tenders", "#"), ["1", "2"], "{name}");
            assert_eq!(outcome.reasons(), [], "{name}");
            assert_eq!(
                outcome.told("ENCODING_GUESSED"),
                u64::from(name == "gb18030"),
                "{name}"
            );
        }
    }
}

#[test]
fn latin_1_guessed_and_named() {
    let text = format!(
        "{}\n{}\n",
        release(1, "licitación pública"),
        release(2, "año nuevo")
    );
    let bytes = encoding_rs::WINDOWS_1252.encode(&text).0;
    let outcome = read(CONFIG, "a.jsonl", &bytes);
    assert_eq!(
        outcome.column("tenders", "title"),
        ["licitación pública", "año nuevo"]
    );
    assert_eq!(outcome.told("ENCODING_GUESSED"), 1);
    let named = read("kind = \"ocds\"\nencoding = \"latin-1\"\n", "a.jsonl", &bytes);
    assert_eq!(
        named.column("tenders", "title"),
        outcome.column("tenders", "title")
    );
    assert_eq!(named.told("ENCODING_GUESSED"), 0);
}

#[test]
fn a_broken_line_costs_itself() {
    let mut bytes = format!("{}\n", release(1, "一")).into_bytes();
    bytes.extend(b"{\"ocid\": \"P2\", \"x\": \"\xff\xfe\"}\n");
    bytes.extend(b"{\"ocid\": \"P3\", \n");
    bytes.extend(b"[1, 2]\n\"text\"\nnull\n\n   \n");
    bytes.extend(br#"{"ocid": "P8", "ocid": "P9", "tag": ["compiled"]}"#);
    bytes.extend(format!("\n{}", release(10, "十")).bytes());
    let outcome = read(CONFIG, "a.jsonl", bytes);
    assert_eq!(outcome.column("tenders", "title"), ["一", "十"]);
    let mut reasons = outcome.reasons();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            ("tenders", 2, None, "BAD_ENCODING"),
            ("tenders", 3, None, "BAD_JSON"),
            ("tenders", 4, None, "BAD_JSON"),
            ("tenders", 4, None, "BAD_JSON"),
            ("tenders", 5, None, "BAD_JSON"),
            ("tenders", 6, None, "BAD_JSON"),
            ("tenders", 9, None, "BAD_JSON"),
        ]
    );
    assert!(outcome.rejected.iter().any(|r| r.raw == b"{\"ocid\": \"P3\","));
}

#[test]
fn files_that_are_none() {
    for (name, bytes, reason) in [
        ("a.json", &b""[..], "EMPTY_FILE"),
        ("a.json", b"{\"releases\": [", "DAMAGED_FILE"),
        ("a.json", b"\x89PNG\r\n\x1a\n\0\0\0", "BINARY_FILE"),
        ("a.jsonl", b"", "EMPTY_FILE"),
    ] {
        let outcome = read(CONFIG, name, bytes);
        assert_eq!(
            outcome.reasons(),
            [("tenders", 0, None, reason)],
            "{name} {reason}"
        );
        assert!(!outcome.rejected[0].detail.is_empty(), "{reason} has no words");
    }
    assert_eq!(read(CONFIG, "a.json", "{\"releases\": []}").golden(), "");
    assert_eq!(read(CONFIG, "a.txt", "x").told("NO_FILES"), 1);
}

#[test]
fn values_of_every_kind() {
    let bid = |id: &str, amount: &str| {
        format!(
            r#"{{"id": {id}, "value": {{"amount": {amount}}}, "tenderers": [{{"id": 77, "name": "甲"}}]}}"#
        )
    };
    let bids = [
        bid("1", "\"12.5\""),
        bid("\"2\"", "\"1,234.50\""),
        bid("3", "null"),
        bid("4", "12345678901234.56"),
        bid("5", "\"much\""),
        bid("6", "[1]"),
        bid("7", "1e3"),
        bid("null", "1"),
        bid("{}", "1"),
        bid("1", "\"12.5\""),
        bid("2", "9"),
        "null".to_owned(),
    ];
    let release = format!(
        r#"{{"ocid": 42, "tag": "compiled", "buyer": null, "parties": null, "planning": [], "awards": null,
        "contracts": [], "tender": {{"value": null, "items": [null], "tenderPeriod": {{"startDate": "2024-03-05", "endDate": ""}}}},
        "bids": {{"details": [{}]}}}}"#,
        bids.join(",")
    );
    let outcome = read(CONFIG, "a.json", release);
    assert_eq!(outcome.column("tenders", "tender_id"), ["42"]);
    assert_eq!(outcome.column("tenders", "published_at"), ["2024-03-04T16:00:00"]);
    assert_eq!(
        outcome.column("bids", "bid_id"),
        ["42/1", "42/2", "42/3", "42/4", "42/7"]
    );
    assert_eq!(
        outcome.column("bids", "amount"),
        ["12.50", "1234.50", "-", "12345678901234.56", "1000.00"]
    );
    assert_eq!(outcome.column("suppliers", "supplier_id"), ["77"]);
    assert_eq!(outcome.told("DUPLICATE_ID"), 1);
    assert_eq!(
        outcome.reasons(),
        [
            ("bids", 1, Some("amount"), "BAD_DECIMAL"),
            ("bids", 1, Some("amount"), "NOT_A_SCALAR"),
            ("bids", 1, Some("bid_id"), "MISSING_KEY"),
            ("bids", 1, Some("bid_id"), "MISSING_KEY"),
            ("bids", 1, Some("bid_id"), "DUPLICATE_ID"),
        ]
    );
}

#[test]
fn members_of_the_wrong_kind_cost_their_release() {
    let wrong = [
        r#""tender": "open""#,
        r#""parties": {"0": {}}"#,
        r#""bids": [{"id": 1}]"#,
        r#""awards": [3]"#,
    ];
    for text in wrong {
        let release = format!(
            r#"[{{"ocid": "A", "tag": ["compiled"], {text}}}, {{"ocid": "B", "tag": ["compiled"]}}]"#
        );
        let outcome = read(CONFIG, "a.json", release);
        assert_eq!(outcome.reasons(), [("tenders", 1, None, "BAD_JSON")], "{text}");
        assert_eq!(outcome.column("tenders", "tender_id"), ["B"], "{text}");
        assert!(
            outcome.rejected[0].detail.starts_with("release."),
            "{}",
            outcome.rejected[0].detail
        );
    }
    let outcome = read(CONFIG, "a.json", r#"{"tag": ["compiled"], "tender": {}}"#);
    assert_eq!(
        outcome.reasons(),
        [("tenders", 1, Some("tender_id"), "MISSING_KEY")]
    );
}

#[test]
fn dates_in_every_shape() {
    let release = |date: &str| {
        let text = format!(
            r#"{{"ocid": "P", "tag": ["compiled"], "contracts": [{{"id": 1, "dateSigned": "{date}", "period": {{"startDate": "{date}"}}}}]}}"#
        );
        let outcome = read(CONFIG, "a.json", text);
        outcome.column("contracts", "signed_on").pop()
    };
    for (date, want) in [
        ("2024-03-05", Some("2024-03-05")),
        ("2024-03-05T23:00:00Z", Some("2024-03-06")),
        ("2024-03-05T23:00:00+08:00", Some("2024-03-05")),
        ("2024-03-05T23:00:00.123Z", Some("2024-03-06")),
        ("2024-03-05 23:00", Some("2024-03-05")),
        ("", Some("-")),
        ("2024-02-30", None),
        ("0001-01-01T00:00:00Z", None),
        ("n/a", None),
    ] {
        assert_eq!(release(date).as_deref(), want, "{date}");
    }
}

#[test]
fn the_same_supplier_is_sent_once_a_block_and_contacts_are_the_parties() {
    let line = |n: u32| {
        format!(
            r#"{{"ocid": "P{n}", "tag": ["compiled"], "parties": [{{"id": "S", "name": "甲", "contactPoint": {{"name": "张三", "telephone": "1"}}}}],
            "tender": {{"tenderers": [{{"id": "S"}}, {{"id": "S"}}]}}}}"#
        )
        .replace('\n', " ")
    };
    let outcome = read(CONFIG, "a.jsonl", format!("{}\n{}\n", line(1), line(2)));
    assert_eq!(outcome.column("suppliers", "name"), ["甲"]);
    assert_eq!(
        outcome.column("bids", "bid_id"),
        ["P1/tenderer/S", "P2/tenderer/S"]
    );
    assert_eq!(outcome.column("bids", "contact_person"), ["张三", "张三"]);
    assert_eq!(outcome.told("DUPLICATE_ID"), 2);
}
