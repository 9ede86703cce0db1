//! Ingest with a connector made of messages, over a real lake in a temporary folder.

use std::sync::Mutex;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array, new_null_array};
use arrow::compute::cast;
use chrono::DateTime;
use connector::{Discovered, Message, ReadRequest, Reason, Rejected, RowBatch, Spec};
use domain::clock::FixedClock;
use domain::ports::{NoProgress, Notice};
use domain::{Bilingual, FailureKind};

use super::*;

/// Sends what it was given, then ends as told.
struct Scripted {
    messages: Mutex<Vec<Message>>,
    raw: Vec<u8>,
    ends: Mutex<Option<ports::Result<()>>>,
    limit: Option<u32>,
}

#[async_trait]
impl Connector for Scripted {
    fn spec(&self) -> Spec {
        Spec {
            kind: "scripted",
            source: Some("his".into()),
            quarantine_limit_bp: self.limit,
            ..Spec::default()
        }
    }

    async fn check(&self) -> ports::Result<()> {
        Ok(())
    }

    async fn discover(&self) -> ports::Result<Vec<Discovered>> {
        Ok(Vec::new())
    }

    async fn read(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> ports::Result<()> {
        request.raw.put_bytes(&self.raw, "a.csv")?;
        let messages: Vec<Message> = self.messages.lock().unwrap().drain(..).collect();
        for message in messages {
            out.send(message)
                .await
                .map_err(|_| Failure::new(FailureKind::Cancelled, "CANCELLED", "gone"))?;
        }
        self.ends.lock().unwrap().take().unwrap_or(Ok(()))
    }
}

pub fn batch(dataset: &str, columns: &[(&str, &[Option<&str>])]) -> Message {
    let dataset = domain::dataset(dataset).unwrap();
    let len = columns[0].1.len();
    let arrays = dataset
        .columns
        .iter()
        .map(|c| match columns.iter().find(|(name, _)| *name == c.name) {
            None => new_null_array(&c.ty.arrow(), len),
            Some((_, values)) => {
                let texts: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
                cast(&texts, &c.ty.arrow()).unwrap()
            }
        })
        .collect();
    Message::Rows(RowBatch {
        columns: RecordBatch::try_new(dataset.schema(), arrays).unwrap(),
        dataset,
        batch: "b".into(),
        positions: UInt64Array::from_iter_values(1..=len as u64),
    })
}

fn rejected(dataset: &str) -> Message {
    Message::Rejected(Rejected {
        dataset: dataset.into(),
        batch: "b".into(),
        file: "a.csv".into(),
        position: 9,
        field: None,
        reason: Reason::WrongCellCount,
        detail: "3 cells".into(),
        raw: vec![0xd2, 0xbd, 0xd4, 0xba],
    })
}

fn of(dataset: &str) -> QuarantineFilter {
    QuarantineFilter {
        dataset: Some(dataset.into()),
        ..Default::default()
    }
}

pub struct Bench {
    _dir: tempfile::TempDir,
    pub lake: Arc<Lake>,
}

impl Bench {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let lake = Arc::new(Lake::open(dir.path(), now).await.unwrap());
        Self { _dir: dir, lake }
    }

    /// Syncs the messages; the connector ends with `ends`.
    async fn sync_ending(
        &self,
        messages: Vec<Message>,
        limit: Option<u32>,
        ends: ports::Result<()>,
    ) -> ports::Result<SyncReport> {
        let clock = Arc::new(FixedClock(DateTime::from_timestamp(1_700_000_100, 0).unwrap()));
        let script = Mutex::new(Some((messages, ends)));
        let open = move || -> ports::Result<Box<dyn Connector>> {
            let (messages, ends) = script.lock().unwrap().take().unwrap();
            Ok(Box::new(Scripted {
                messages: Mutex::new(messages),
                raw: b"raw".to_vec(),
                ends: Mutex::new(Some(ends)),
                limit,
            }))
        };
        let open = Arc::new(open);
        let files = open.clone();
        let ingest = Ingest::new(
            self.lake.clone(),
            clock,
            Box::new(move |_| files()),
            Box::new(move |_| open()),
        );
        let request = SyncFilesRequest {
            source: "files".into(),
            dir: "/nowhere".into(),
            mapping: None,
            quarantine_limit_bp: 100,
        };
        ingest.sync_files(request, Arc::new(NoProgress)).await
    }

    /// One that reads nothing.
    pub fn ingest(&self) -> Ingest {
        let clock = Arc::new(FixedClock(DateTime::from_timestamp(1_700_000_200, 0).unwrap()));
        let nothing = || Err(Failure::invalid("NOTHING", "there is nothing to read"));
        Ingest::new(
            self.lake.clone(),
            clock,
            Box::new(move |_| nothing()),
            Box::new(move |_| nothing()),
        )
    }

    pub async fn sync(&self, messages: Vec<Message>) -> ports::Result<SyncReport> {
        self.sync_ending(messages, Some(5000), Ok(())).await
    }
}

#[tokio::test]
async fn a_sync_reports_what_became_of_each_row() {
    let bench = Bench::new().await;
    let notice = |count| {
        Message::Notice(Notice {
            code: "COLUMN_IGNORED".into(),
            place: "a.csv".into(),
            message: Bilingual::default(),
            count,
        })
    };
    let messages = || {
        vec![
            batch(
                "products",
                &[("product_id", &[Some("p1"), Some("p2"), Some("p3")])],
            ),
            notice(1),
            rejected("products"),
            notice(2),
        ]
    };
    let report = bench.sync(messages()).await.unwrap();
    assert_eq!((report.source.as_str(), report.snapshot), ("his", 1));
    assert_eq!(report.datasets.len(), 1);
    let d = &report.datasets[0];
    assert_eq!((d.read, d.inserted, d.quarantined), (4, 3, 1));
    assert_eq!((report.notices.len(), report.notices[0].count), (1, 3));
    assert_eq!(report.quarantine_sample[0].raw, "医院");
    let again = bench.sync(messages()).await.unwrap();
    assert_eq!((again.datasets[0].unchanged, again.datasets[0].inserted), (3, 0));
}

#[tokio::test]
async fn quarantined_rows_are_listed_readably() {
    let bench = Bench::new().await;
    bench
        .sync(vec![
            batch("products", &[("product_id", &[Some("p1")])]),
            rejected("products"),
        ])
        .await
        .unwrap();
    let clock = Arc::new(FixedClock(DateTime::UNIX_EPOCH));
    let no =
        |_: &SyncFilesRequest| -> ports::Result<Box<dyn Connector>> { Err(Failure::invalid("NO", "no")) };
    let no_push = |_: PushedBatch| -> ports::Result<Box<dyn Connector>> { Err(Failure::invalid("NO", "no")) };
    let ingest = Ingest::new(bench.lake.clone(), clock, Box::new(no), Box::new(no_push));
    let listed = ingest.quarantine(of("products"), 10).await.unwrap();
    assert_eq!(
        (listed[0].raw.as_str(), listed[0].row, listed.len()),
        ("医院", 9, 1)
    );
    assert!(ingest.quarantine(of("bids"), 10).await.unwrap().is_empty());
    let (_, rows) = mpsc::channel(1);
    let error = ingest
        .sync_pushed(" ".into(), "b".into(), rows, Arc::new(NoProgress))
        .await
        .unwrap_err();
    assert_eq!(error.reason, "SOURCE_MISSING");
}

#[tokio::test]
async fn over_the_limit_nothing_is_changed_and_the_reasons_are_named() {
    let bench = Bench::new().await;
    let messages = vec![
        batch("products", &[("product_id", &[Some("p1")])]),
        rejected("products"),
    ];
    let error = bench.sync_ending(messages, None, Ok(())).await.unwrap_err();
    assert_eq!(
        (error.kind, error.reason),
        (FailureKind::Precondition, "QUARANTINE_LIMIT")
    );
    assert!(
        error.message.contains("WRONG_CELL_COUNT in products"),
        "{}",
        error.message
    );
    assert_eq!(
        error.metadata,
        [("products.WRONG_CELL_COUNT".to_owned(), "1".to_owned())]
    );
    assert_eq!(bench.lake.head().await.unwrap(), 0);
}

#[tokio::test]
async fn a_connector_that_fails_half_way_commits_nothing() {
    let bench = Bench::new().await;
    let messages = vec![batch("products", &[("product_id", &[Some("p1")])])];
    let ends = Err(Failure::new(
        FailureKind::Unavailable,
        "DISK_GONE",
        "the share is gone",
    ));
    let error = bench.sync_ending(messages, None, ends).await.unwrap_err();
    assert_eq!(error.reason, "DISK_GONE");
    assert_eq!(bench.lake.head().await.unwrap(), 0);
    assert_eq!(bench.sync(vec![]).await.unwrap().snapshot, 1);
}

#[tokio::test]
async fn a_batch_that_the_lake_refuses_stops_the_connector() {
    let bench = Bench::new().await;
    let Message::Rows(mut wrong) = batch("products", &[("product_id", &[Some("p1")])]) else {
        unreachable!()
    };
    wrong.dataset = domain::dataset("bids").unwrap();
    let messages = (0..100).map(|_| Message::Rows(wrong.clone())).collect();
    let error = bench.sync(messages).await.unwrap_err();
    assert_eq!(error.reason, "BATCH_SHAPE");
    assert_eq!(bench.lake.head().await.unwrap(), 0);
}

#[tokio::test]
async fn mentions_become_parties_in_the_same_snapshot() {
    let bench = Bench::new().await;
    let messages = |name| {
        vec![
            batch(
                "suppliers",
                &[
                    ("supplier_id", &[Some("S1")]),
                    ("name", &[Some("康达医药有限公司")]),
                    ("uscc", &[Some("91330000MA27TEST0A")]),
                ],
            ),
            batch(
                "bids",
                &[
                    ("bid_id", &[Some("b1"), Some("b2")]),
                    ("supplier_name", &[Some(name), None]),
                ],
            ),
        ]
    };
    let first = bench.sync(messages("康达医药有限责任公司")).await.unwrap();
    let parties = bench.lake.parties(first.snapshot).await.unwrap();
    assert!(!parties.parties.is_empty());
    // Every reference leads to a party that is there.
    for r in &parties.refs {
        assert!(parties.parties.iter().any(|p| p.party_id == r.party_id), "{r:?}");
    }
    let same = bench.sync(messages("康达医药有限责任公司")).await.unwrap();
    assert_eq!(
        bench.lake.table_version("parties", same.snapshot).await.unwrap(),
        Some(first.snapshot)
    );
    let other = bench.sync(messages("别家医药公司")).await.unwrap();
    let renamed = bench.lake.parties(other.snapshot).await.unwrap();
    assert!(renamed.parties.iter().any(|p| p.name == "别家医药公司"));
    assert!(
        !renamed.parties.iter().any(
            |p| p.name == "康达医药有限责任公司" || p.aliases.iter().any(|a| a == "康达医药有限责任公司")
        )
    );
    assert_eq!(bench.lake.parties(first.snapshot).await.unwrap(), parties);
}
