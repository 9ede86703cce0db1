//! Configured sources over a real lake: a scripted source with cursors, and folders of files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array, new_null_array};
use arrow::compute::cast;
use chrono::{DateTime, Utc};
use connector::{
    Checkpoint, Discovered, FromTable, KeyBatch, Message, ReadRequest, Reason, Rejected, RowBatch, Spec,
};
use domain::clock::Clock;
use domain::ports::{NoProgress, QuarantineFilter, SyncPort};
use domain::sources::FailureClass;
use domain::{Bilingual, FailureKind};
use files::FilesFactory;
use lake::Lake;
use tokio::sync::mpsc;

use super::*;
use crate::Ingest;

mod accept;

/// Moves on by a second whenever it is looked at, so that runs have an order.
#[derive(Debug, Default)]
struct Ticking(Mutex<i64>);

impl Clock for Ticking {
    fn now(&self) -> DateTime<Utc> {
        let mut seconds = self.0.lock().unwrap();
        *seconds += 1;
        DateTime::from_timestamp(1_700_000_000 + *seconds, 0).unwrap()
    }
}

/// What the scripted source holds and how it behaves.
#[derive(Default)]
struct World {
    /// Product -> (name, version); the version is the cursor.
    rows: BTreeMap<String, (String, u64)>,
    /// Fails before the page with this number (from 1), once.
    fails_before_page: Option<usize>,
    /// Rejects the row with this key.
    broken: Option<String>,
    /// Starts after the cursor instead of at it, and so loses rows that share it.
    loses_equal_cursors: bool,
    /// What its raw batches are called, before their number.
    page_name: Option<String>,
    /// Cursors it was given, one entry a reading.
    asked: Vec<BTreeMap<String, String>>,
    /// Rows it has sent in all.
    sent: usize,
}

struct Scripted(Arc<Mutex<World>>);

const PAGE_ROWS: usize = 3;

fn scripted_spec() -> Spec {
    Spec {
        kind: "scripted",
        title: Bilingual::new("脚本", "Scripted"),
        incremental: true,
        lists_keys: true,
        ..Spec::default()
    }
}

#[async_trait]
impl Connector for Scripted {
    fn spec(&self) -> Spec {
        scripted_spec()
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn discover(&self) -> Result<Vec<Discovered>> {
        Ok(vec![Discovered {
            place: "products".into(),
            dataset: Some("products".into()),
            ..Discovered::default()
        }])
    }

    async fn read(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()> {
        let since: u64 = request.cursors.get("products").map_or(0, |c| c.parse().unwrap());
        let (mut rows, broken, page_name) = {
            let mut world = self.0.lock().unwrap();
            world.asked.push(request.cursors.clone());
            let after = world.loses_equal_cursors && since > 0;
            let rows: Vec<(String, String, u64)> = world
                .rows
                .iter()
                .filter(|(_, (_, version))| {
                    if after {
                        *version > since
                    } else {
                        *version >= since
                    }
                })
                .map(|(key, (name, version))| (key.clone(), name.clone(), *version))
                .collect();
            let page_name = world.page_name.clone().unwrap_or_else(|| "page".to_owned());
            (rows, world.broken.clone(), page_name)
        };
        rows.sort_by(|a, b| (a.2, &a.0).cmp(&(b.2, &b.0)));
        for (number, page) in (1..).zip(rows.chunks(PAGE_ROWS)) {
            if self
                .0
                .lock()
                .unwrap()
                .fails_before_page
                .take_if(|n| *n == number)
                .is_some()
            {
                return Err(Failure::new(
                    FailureKind::Unavailable,
                    "SOURCE_DOWN",
                    "the source went away",
                ));
            }
            let text: Vec<String> = page.iter().map(|r| format!("{r:?}")).collect();
            let raw = request
                .raw
                .put_bytes(text.join("\n").as_bytes(), &format!("{page_name}-{number}"))?;
            let gone = |_| Failure::new(FailureKind::Cancelled, "CANCELLED", "gone");
            let good: Vec<_> = page.iter().filter(|r| Some(&r.0) != broken.as_ref()).collect();
            self.0.lock().unwrap().sent += page.len();
            if let Some(bad) = page.iter().find(|r| Some(&r.0) == broken.as_ref()) {
                let rejected = Rejected {
                    dataset: "products".into(),
                    batch: raw.digest.clone(),
                    file: "page".into(),
                    position: 1,
                    field: None,
                    reason: Reason::BadDate,
                    detail: String::new(),
                    raw: bad.0.clone().into_bytes(),
                };
                out.send(Message::Rejected(rejected)).await.map_err(gone)?;
            }
            let dataset = domain::dataset("products").unwrap();
            let texts = |name: &str| -> Option<Vec<&str>> {
                match name {
                    "product_id" => Some(good.iter().map(|r| r.0.as_str()).collect()),
                    "name" => Some(good.iter().map(|r| r.1.as_str()).collect()),
                    _ => None,
                }
            };
            let arrays: Vec<ArrayRef> = dataset
                .columns
                .iter()
                .map(|c| match texts(&c.name) {
                    None => new_null_array(&c.ty.arrow(), good.len()),
                    Some(texts) => {
                        let texts: ArrayRef = Arc::new(StringArray::from(texts));
                        cast(&texts, &c.ty.arrow()).unwrap()
                    }
                })
                .collect();
            let batch = RowBatch {
                columns: RecordBatch::try_new(dataset.schema(), arrays).unwrap(),
                dataset,
                batch: raw.digest,
                positions: UInt64Array::from_iter_values(1..=good.len() as u64),
            };
            out.send(Message::Rows(batch)).await.map_err(gone)?;
            let checkpoint = Checkpoint {
                stream: "products".into(),
                cursor: page[page.len() - 1].2.to_string(),
            };
            out.send(Message::Checkpoint(checkpoint)).await.map_err(gone)?;
        }
        Ok(())
    }

    async fn keys(&self, _: ReadRequest, out: mpsc::Sender<KeyBatch>) -> Result<()> {
        let dataset = domain::dataset("products").unwrap();
        let keys: Vec<String> = self.0.lock().unwrap().rows.keys().cloned().collect();
        let place = dataset.column_index("product_id").unwrap();
        let column: ArrayRef = Arc::new(StringArray::from(keys));
        let schema = Arc::new(dataset.schema().project(&[place]).unwrap());
        let keys = RecordBatch::try_new(schema, vec![column]).unwrap();
        out.send(KeyBatch { dataset, keys })
            .await
            .map_err(|_| Failure::new(FailureKind::Cancelled, "CANCELLED", "gone"))
    }
}

struct Bench {
    dir: tempfile::TempDir,
    world: Arc<Mutex<World>>,
    lake: Arc<Lake>,
    ingest: Ingest,
    sources: Sources,
}

impl Bench {
    /// With one source `shop` that commits after every `commit_rows` rows.
    async fn new(commit_rows: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Ticking::default());
        let lake = Arc::new(Lake::open(&dir.path().join("data"), clock.now()).await.unwrap());
        let world: Arc<Mutex<World>> = Arc::default();
        let no = |what: &'static str| Failure::invalid("NO", what);
        let ingest = Ingest::new(
            lake.clone(),
            clock,
            Box::new(move |_| Err(no("files"))),
            Box::new(move |_| Err(no("push"))),
        );
        let file = dir.path().join("sources.toml");
        std::fs::write(
            &file,
            format!("[sources.shop]\nkind = \"scripted\"\nquarantine_limit = \"20\"\ncommit_rows = {commit_rows}\n"),
        )
        .unwrap();
        let made = world.clone();
        let kinds = Registry::default()
            .with(FilesFactory)
            .with(FromTable::new(scripted_spec(), move |_, _: &Path| {
                Ok(Box::new(Scripted(made.clone())) as Box<dyn Connector>)
            }));
        let sources = ingest.sources(kinds, file);
        Self {
            dir,
            world,
            lake,
            ingest,
            sources,
        }
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn put(&self, key: &str, name: &str, version: u64) {
        self.world().rows.insert(key.into(), (name.into(), version));
    }

    async fn sync(&self) -> Result<SyncReport> {
        self.sources.sync("shop", Arc::new(NoProgress)).await
    }

    async fn cursor(&self) -> Option<String> {
        self.lake.cursors("shop").await.unwrap().remove("products")
    }

    /// The newest run's state.
    async fn run(&self) -> SyncRun {
        self.sources.runs(Some("shop".into()), 1).await.unwrap().remove(0)
    }

    async fn quarantined(&self) -> usize {
        self.ingest
            .quarantine(QuarantineFilter::default(), 100)
            .await
            .unwrap()
            .len()
    }
}

fn ten(bench: &Bench) {
    for n in 0..10 {
        // Versions come in pairs: rows share cursor values across pages.
        bench.put(&format!("p{n}"), &format!("name {n}"), 1 + n / 2);
    }
}

#[tokio::test]
async fn a_sync_that_dies_goes_on_from_its_last_committed_checkpoint() {
    let bench = Bench::new(3).await;
    ten(&bench);
    bench.world().fails_before_page = Some(3);
    let failed = bench.sync().await.unwrap_err();
    assert_eq!(failed.reason, "SOURCE_DOWN");
    let run = bench.run().await;
    assert_eq!((run.state, run.commits), (SyncState::Failed, 2));
    assert_eq!(run.failure.as_ref().unwrap().class, FailureClass::Transient);
    assert_eq!((run.datasets[0].read, run.datasets[0].inserted), (6, 6));
    assert_eq!(bench.cursor().await.as_deref(), Some("3"));

    let sent = bench.world().sent;
    let report = bench.sync().await.unwrap();
    assert_eq!(bench.world().asked[1]["products"], "3");
    // From cursor 3 on: its own two rows again, and the other four.
    assert_eq!(bench.world().sent - sent, 6);
    let counts = &report.datasets[0];
    assert_eq!((counts.read, counts.inserted, counts.unchanged), (6, 4, 2));
    let run = bench.run().await;
    assert_eq!(run.state, SyncState::Succeeded);
    assert_eq!(
        (
            run.cursors_before["products"].as_str(),
            run.cursors_after["products"].as_str()
        ),
        ("3", "5")
    );

    let again = bench.sync().await.unwrap();
    assert_eq!((again.datasets[0].read, again.datasets[0].unchanged), (2, 2));
}

#[tokio::test]
async fn late_rows_and_changes_come_with_the_next_sync() {
    let bench = Bench::new(1_000).await;
    ten(&bench);
    assert_eq!(bench.sync().await.unwrap().datasets[0].inserted, 10);
    assert_eq!(bench.run().await.commits, 1);
    bench.put("late", "committed late", 5);
    bench.put("p3", "renamed", 6);
    let counts = bench.sync().await.unwrap().datasets.remove(0);
    assert_eq!((counts.inserted, counts.updated), (1, 1));
    let status = bench.sources.status(None).await.unwrap().remove(0);
    assert!(status.conserved && status.failures == 0);
    assert_eq!(
        status.read,
        status.inserted + status.updated + status.unchanged + status.quarantined
    );
    assert!(status.last_success_at.is_some() && status.last_rows_at.is_some());
}

#[tokio::test]
async fn over_the_limit_the_cursor_stays_where_it_was() {
    let bench = Bench::new(3).await;
    ten(&bench);
    bench.world().broken = Some("p1".into());
    let failed = bench.sync().await.unwrap_err();
    assert_eq!(
        (failed.kind, failed.reason),
        (FailureKind::Precondition, "QUARANTINE_LIMIT")
    );
    assert_eq!(
        (bench.cursor().await, bench.lake.head().await.unwrap()),
        (None, 0)
    );
    assert_eq!(
        bench.run().await.failure.unwrap().class,
        FailureClass::Configuration
    );
    // One of ten is within a fifth, when it is looked at as a whole.
    let bench = Bench::new(1_000).await;
    ten(&bench);
    bench.world().broken = Some("p1".into());
    let counts = bench.sync().await.unwrap().datasets.remove(0);
    assert_eq!((counts.read, counts.inserted, counts.quarantined), (10, 9, 1));
    assert_eq!(bench.quarantined().await, 1);
    // The kind cannot read its kept bytes: the source is read from the start, and what now reads leaves quarantine.
    bench.world().broken = None;
    bench.sources.redrive("shop", Arc::new(NoProgress)).await.unwrap();
    assert_eq!(bench.quarantined().await, 0);
    assert!(bench.world().asked.last().unwrap().is_empty());
}

#[tokio::test]
async fn a_source_is_redriven_from_its_start_whatever_its_batches_are_called() {
    // As a platform's requests may be: no path, or longer than a file's name can be.
    for name in ["/orders?page=1".to_owned(), format!("GET?{}", "x".repeat(300))] {
        let bench = Bench::new(1_000).await;
        ten(&bench);
        bench.world().page_name = Some(name.clone());
        bench.world().broken = Some("p1".into());
        bench.sync().await.unwrap();
        assert_eq!(bench.quarantined().await, 1, "{name}");
        bench.world().broken = None;
        let report = bench.sources.redrive("shop", Arc::new(NoProgress)).await.unwrap();
        assert_eq!(report.datasets[0].inserted, 1, "{name}");
        assert_eq!(bench.quarantined().await, 0, "{name}");
        // Nothing is left to be redriven, and the source is not asked.
        let asked = bench.world().asked.len();
        let report = bench.sources.redrive("shop", Arc::new(NoProgress)).await.unwrap();
        assert!(
            report.datasets.is_empty() && bench.world().asked.len() == asked,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_source_with_nothing_new_stays_fresh() {
    let bench = Bench::new(1_000).await;
    bench.sync().await.unwrap();
    let head = bench.lake.head().await.unwrap();
    let before = bench.lake.last_synced("products", head).await.unwrap().unwrap();
    let report = bench.sync().await.unwrap();
    let after = bench
        .lake
        .last_synced("products", report.snapshot)
        .await
        .unwrap()
        .unwrap();
    assert!(after > before);
    assert_eq!(
        bench.sources.versions(&["products".into()]).await.unwrap()["products"],
        1
    );
}

#[tokio::test]
async fn rows_gone_at_the_source_are_withdrawn() {
    let bench = Bench::new(1_000).await;
    ten(&bench);
    bench.sync().await.unwrap();
    let none = bench
        .sources
        .reconcile("shop", false, Arc::new(NoProgress))
        .await
        .unwrap();
    assert_eq!((none.datasets[0].in_lake, none.datasets[0].withdrawn), (10, 0));
    bench.world().rows.remove("p2");
    let head = bench.lake.head().await.unwrap();
    let report = bench
        .sources
        .reconcile("shop", false, Arc::new(NoProgress))
        .await
        .unwrap();
    assert_eq!(report.snapshot, head + 1);
    let found = &report.datasets[0];
    assert_eq!((found.at_source, found.in_lake, found.withdrawn), (9, 10, 1));
    let names = bench.lake.table_names(report.snapshot).await.unwrap();
    assert!(names.contains(&"_withdrawn".to_owned()));
    assert_eq!(
        bench
            .lake
            .table_version("products", report.snapshot)
            .await
            .unwrap(),
        Some(report.snapshot)
    );
    // Once withdrawn it is no longer there to be withdrawn; when it comes back it is a new row.
    let again = bench
        .sources
        .reconcile("shop", false, Arc::new(NoProgress))
        .await
        .unwrap();
    assert_eq!(
        (
            again.datasets[0].in_lake,
            again.datasets[0].withdrawn,
            again.snapshot
        ),
        (9, 0, report.snapshot)
    );
    bench.put("p2", "back", 9);
    assert_eq!(bench.sync().await.unwrap().datasets[0].inserted, 1);
}

#[tokio::test]
async fn an_empty_listing_withdraws_nothing_unless_asked_to() {
    let bench = Bench::new(1_000).await;
    for n in 0..40 {
        bench.put(&format!("p{n}"), "x", n);
    }
    bench.sync().await.unwrap();
    bench.world().rows.clear();
    let refused = bench
        .sources
        .reconcile("shop", false, Arc::new(NoProgress))
        .await
        .unwrap_err();
    assert_eq!(refused.reason, "WITHDRAWAL_LIMIT");
    let report = bench
        .sources
        .reconcile("shop", true, Arc::new(NoProgress))
        .await
        .unwrap();
    assert_eq!(report.datasets[0].withdrawn, 40);
}

const ORDERS: &str = "order_id,line_no,channel\nPO1,1,platform\nPO2,1,carrier pigeon\n";

#[tokio::test]
async fn quarantined_rows_of_files_are_redriven_after_the_mapping_is_mended() {
    let bench = Bench::new(1_000).await;
    let drop = bench.dir.path().join("drop");
    std::fs::create_dir(&drop).unwrap();
    std::fs::write(drop.join("purchase_orders.csv"), ORDERS).unwrap();
    let mapping = bench.dir.path().join("mapping.toml");
    std::fs::write(&mapping, "").unwrap();
    let toml =
        "kind = \"files\"\nquarantine_limit = \"50\"\n[config]\ndir = \"drop\"\nmapping = \"mapping.toml\"\n";
    let new = NewSource {
        name: "his".into(),
        toml: toml.into(),
        replace: false,
    };
    bench.sources.add(new).await.unwrap();
    let sync = || bench.sources.sync("his", Arc::new(NoProgress));
    let counts = sync().await.unwrap().datasets.remove(0);
    assert_eq!((counts.inserted, counts.quarantined), (1, 1));
    // Read again, the row takes the place of what it was in quarantine.
    sync().await.unwrap();
    assert_eq!(bench.quarantined().await, 1);

    let redrive = || bench.sources.redrive("his", Arc::new(NoProgress));
    let still = redrive().await.unwrap().datasets.remove(0);
    assert_eq!((still.read, still.quarantined), (1, 1));
    assert_eq!(bench.quarantined().await, 1);

    std::fs::write(
        &mapping,
        "[[file]]\nglob = \"purchase_orders.csv\"\ndataset = \"purchase_orders\"\n[file.columns]\nchannel = { from = \"channel\", codes = { \"carrier pigeon\" = \"offline\" } }\n",
    )
    .unwrap();
    std::fs::remove_file(drop.join("purchase_orders.csv")).unwrap();
    let mended = redrive().await.unwrap().datasets.remove(0);
    assert_eq!((mended.read, mended.inserted, mended.quarantined), (1, 1, 0));
    assert_eq!(bench.quarantined().await, 0);
    assert!(redrive().await.unwrap().datasets.is_empty());
}

#[tokio::test]
async fn wrong_sources_are_told_by_file_and_key() {
    let bench = Bench::new(1_000).await;
    let add = |name: &str, toml: &str| {
        let new = NewSource {
            name: name.into(),
            toml: toml.into(),
            replace: false,
        };
        bench.sources.add(new)
    };
    let unknown = add("x", "kind = \"telepathy\"\n").await.unwrap_err();
    assert_eq!(unknown.reason, "UNKNOWN_KIND");
    assert!(unknown.message.contains("sources.toml") && unknown.message.contains("files, scripted"));
    let wrong = add("x", "kind = \"files\"\n[config]\ndri = \"a\"\n")
        .await
        .unwrap_err();
    assert!(
        wrong.message.contains("[sources.x]") && wrong.message.contains("dri"),
        "{}",
        wrong.message
    );
    assert_eq!(
        bench.sources.list().await.unwrap().len(),
        1,
        "a wrong source is not written"
    );
    let missing = bench.sources.check("nobody").await.unwrap_err();
    assert_eq!(missing.kind, FailureKind::NotFound);
    assert!(missing.message.contains("shop"));
    ten(&bench);
    bench.sync().await.unwrap();
    bench.sources.remove("shop", true).await.unwrap();
    assert_eq!(bench.cursor().await, None);
}

#[tokio::test]
async fn a_source_that_was_reset_is_read_from_the_start() {
    let bench = Bench::new(1_000).await;
    ten(&bench);
    bench.sync().await.unwrap();
    assert!(bench.cursor().await.is_some());
    let wrong = bench.sources.reset("shop", Some("prices")).await.unwrap_err();
    assert!(wrong.message.contains("products"), "{}", wrong.message);
    assert!(bench.cursor().await.is_some());
    assert_eq!(
        bench.sources.reset("shop", Some("products")).await.unwrap(),
        ["products"]
    );
    assert!(bench.cursor().await.is_none());
    // Rows stay, and come again as they are.
    let again = bench.sync().await.unwrap();
    assert_eq!((again.datasets[0].read, again.datasets[0].unchanged), (10, 10));
    assert_eq!(bench.sources.reset("shop", None).await.unwrap(), ["products"]);
    assert!(bench.sources.reset("shop", None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_few_rejected_rows_of_a_night_fail_no_sync_that_says_no_limit() {
    let bench = Bench::new(1_000).await;
    let file = bench.dir.path().join("sources.toml");
    std::fs::write(&file, "[sources.shop]\nkind = \"scripted\"\n").unwrap();
    bench.put("p1", "good", 1);
    bench.put("p2", "bad", 2);
    bench.world().broken = Some("p2".into());
    let counts = bench.sync().await.unwrap().datasets.remove(0);
    assert_eq!((counts.read, counts.quarantined), (2, 1));
}
