//! The promises of a watch: ordered, unique, reliable, atomic, resumable, bookmarkable.

use std::time::Duration;

use alerts::Settings;
use domain::hit::RuleState;
use domain::ports::{AlertsPort, WatchItem, WatchRequest};
use futures::StreamExt;

use crate::fixture::*;
use crate::on_both_stores;

on_both_stores!(
    a_reader_that_reconnects_at_every_token_sees_all_once,
    a_filter_lets_through_what_matched_after_the_event,
    the_initial_list_and_what_follows_leave_no_gap,
    an_interrupted_initial_list_is_completed_by_events,
    another_process_is_seen_too,
    tokens_that_cannot_be_honoured_say_why,
    compaction_keeps_whole_commits_and_seven_days,
    a_reader_that_history_overtakes_is_too_slow,
    a_live_reader_far_behind_is_too_slow_and_can_resume,
    one_big_run_is_never_too_much,
    a_new_epoch_ends_open_streams,
    a_bookmark_comes_when_idle_and_carries_progress,
);

/// Three runs and a closure: 10 events.
async fn history(alerts: &alerts::Alerts) {
    let t = |ids: &[&str]| ids.iter().map(|id| hit(id, &["o"])).collect();
    record(alerts, &hits(1, "2024-03-01", t(&["T1", "T2", "T3", "T4"]))).await;
    record(alerts, &hits(2, "2024-03-02", t(&["T1", "T2"]))).await;
    let id = id_of(alerts, "T1").await;
    alerts.close(&id, "li", "框架采购").await.unwrap();
    record(alerts, &hits(3, "2024-03-03", t(&["T1", "T3", "T4", "T5"]))).await;
}

const EVENTS: usize = 11;

async fn a_reader_that_reconnects_at_every_token_sees_all_once(store: Store) {
    let alerts = store.open().await;
    let mut token = token_now(&alerts, "").await;
    let start = token.clone();
    history(&alerts).await;
    let mut reconnecting = Vec::new();
    for _ in 0..EVENTS {
        let mut stream = watch(&alerts, "", &token).await;
        let (line, next_token) = describe(&next(&mut stream).await.unwrap());
        reconnecting.push(line);
        token = next_token;
    }
    let steady = take(&mut watch(&alerts, "", &start).await, EVENTS).await;
    assert_eq!(reconnecting, steady);
    assert_eq!(
        steady[4..8]
            .iter()
            .map(|l| l.split_once(' ').unwrap().0)
            .collect::<Vec<_>>(),
        ["5", "6", "7", "8"]
    );
    assert_eq!(steady[6], "7 Closed T1 CLOSED");
    // At the end there is nothing until something happens.
    let mut stream = watch(&alerts, "", &token).await;
    record(&alerts, &hits(4, "2024-03-04", vec![hit("T6", &["o"])])).await;
    assert!(take(&mut stream, 1).await[0].starts_with("12 Opened T6"));
}

async fn a_filter_lets_through_what_matched_after_the_event(store: Store) {
    let alerts = store.open().await;
    let filter = "state = CLEARED OR identity.tender_id = T5";
    let token = token_now(&alerts, filter).await;
    history(&alerts).await;
    let lines = take(&mut watch(&alerts, filter, &token).await, 4).await;
    let mut told: Vec<&str> = lines.iter().map(|l| l.split_once(' ').unwrap().1).collect();
    told[..2].sort_unstable();
    told[2..].sort_unstable();
    assert_eq!(
        told,
        [
            "Cleared T3 CLEARED",
            "Cleared T4 CLEARED",
            "Cleared T2 CLEARED",
            "Opened T5 OPEN"
        ]
    );
    let revisions: Vec<i64> = lines
        .iter()
        .map(|l| l.split_once(' ').unwrap().0.parse().unwrap())
        .collect();
    assert!(revisions.is_sorted());
}

/// A watch with the initial list, up to and with the bookmark at its end; and the stream.
async fn with_list(alerts: &alerts::Alerts, filter: &str) -> (Vec<WatchItem>, domain::ports::WatchStream) {
    let request = WatchRequest {
        filter: filter.into(),
        send_initial_list: true,
        ..Default::default()
    };
    let mut stream = alerts.watch(request).await.unwrap();
    let mut items = Vec::new();
    loop {
        let item = next(&mut stream).await.unwrap();
        let end = matches!(
            item,
            WatchItem::Bookmark {
                initial_list_end: true,
                ..
            }
        );
        items.push(item);
        if end {
            return (items, stream);
        }
    }
}

async fn the_initial_list_and_what_follows_leave_no_gap(store: Store) {
    let alerts = store.open().await;
    let (items, _) = with_list(&alerts, "").await;
    assert_eq!(describe(&items[0]).0, "bookmark 0 end of list");
    history(&alerts).await;
    let many = (0..500).map(|n| hit(&format!("many{n}"), &["o"])).collect();
    record(
        &alerts,
        &output(4, "2024-03-04", vec![outcome("R-2", RuleState::Evaluated, many)]),
    )
    .await;

    let filter = "state != CLEARED";
    let request = WatchRequest {
        filter: filter.into(),
        send_initial_list: true,
        ..Default::default()
    };
    let mut stream = alerts.watch(request).await.unwrap();
    // Committed while the list is being read: told after it, and not in it.
    let first = next(&mut stream).await.unwrap();
    record(&alerts, &hits(5, "2024-03-05", vec![hit("T9", &["o"])])).await;
    let mut listed = vec![first];
    loop {
        let item = next(&mut stream).await.unwrap();
        if let WatchItem::Bookmark {
            revision,
            initial_list_end,
            ..
        } = item
        {
            assert_eq!((revision, initial_list_end), (511, true));
            break;
        }
        listed.push(item);
    }
    let tenders: std::collections::BTreeSet<String> = listed
        .iter()
        .map(|item| match item {
            WatchItem::Event { event, .. } => event.alert.identity["tender_id"].to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((listed.len(), tenders.len()), (504, 504));
    assert!(!tenders.contains("T9") && !tenders.contains("T2") && tenders.contains("T1"));
    let after = take(&mut stream, 1).await;
    assert_eq!(after, ["512 Opened T9 OPEN"]);
}

async fn an_interrupted_initial_list_is_completed_by_events(store: Store) {
    let alerts = store.open().await;
    history(&alerts).await;
    let (items, _) = with_list(&alerts, "").await;
    for broken_at in 0..items.len() {
        let mut known = std::collections::BTreeMap::new();
        let mut learn = |item: &WatchItem| {
            if let WatchItem::Event { event, .. } = item {
                known.insert(event.alert.alert_id.clone(), event.alert.clone());
            }
        };
        items[..=broken_at].iter().for_each(&mut learn);
        let mut stream = watch(&alerts, "", &describe(&items[broken_at]).1).await;
        let mut revision = match &items[broken_at] {
            WatchItem::Event { event, .. } => event.revision,
            WatchItem::Bookmark { revision, .. } => *revision,
        };
        while revision < EVENTS as i64 {
            let item = next(&mut stream).await.unwrap();
            revision += 1;
            assert!(describe(&item).0.starts_with(&format!("{revision} ")));
            learn(&item);
        }
        let mut learnt: Vec<_> = known
            .into_values()
            .map(|a| (a.alert_id, a.state, a.evidence))
            .collect();
        let mut listed: Vec<_> = list(&alerts, "")
            .await
            .into_iter()
            .map(|a| (a.alert_id, a.state, a.evidence))
            .collect();
        learnt.sort();
        listed.sort();
        assert_eq!(learnt, listed, "broken at item {broken_at}");
    }
}

async fn another_process_is_seen_too(store: Store) {
    let (here, there) = (store.open().await, store.open().await);
    let mut stream = watch(&here, "", &token_now(&here, "").await).await;
    let waiting = tokio::spawn(async move { take(&mut stream, 1).await });
    record(&there, &hits(1, "2024-03-01", vec![hit("T1", &["o"])])).await;
    assert_eq!(waiting.await.unwrap(), ["1 Opened T1 OPEN"]);
}

async fn tokens_that_cannot_be_honoured_say_why(store: Store) {
    let alerts = store.open().await;
    let token = token_now(&alerts, "").await;
    let open = async |filter: &str, token: &str| {
        let request = WatchRequest {
            filter: filter.into(),
            resume_token: token.into(),
            ..Default::default()
        };
        reason(alerts.watch(request).await.map(|_| ()))
    };
    assert_eq!(open("state = OPEN", &token).await, "RESUME_FILTER_MISMATCH");
    assert_eq!(open("", "nonsense").await, "INVALID_RESUME_TOKEN");
    assert_eq!(open("colour = red", "").await, "INVALID_FILTER");
    let foreign = Store::sqlite();
    let foreign_token = token_now(&foreign.open().await, "").await;
    assert_eq!(open("", &foreign_token).await, "INVALID_RESUME_TOKEN");
    alerts.new_epoch().await.unwrap();
    assert_eq!(open("", &token).await, "LOG_EPOCH_CHANGED");
}

async fn compaction_keeps_whole_commits_and_seven_days(store: Store) {
    let alerts = store.open().await;
    let zero = token_now(&alerts, "").await;
    history(&alerts).await; // Commits end at revisions 4, 6, 7 and 11, all on 2024-03-01.
    let mut tokens = vec![zero];
    let mut stream = watch(&alerts, "", &tokens[0]).await;
    for _ in 0..EVENTS {
        tokens.push(describe(&next(&mut stream).await.unwrap()).1);
    }
    store.clock.set("2024-03-08");
    assert_eq!(
        alerts.compact(100).await.unwrap().removed,
        0,
        "seven days are kept"
    );
    store.clock.set("2024-03-09");
    assert!(alerts.compact_history(6).await.is_err());
    let done = alerts.compact(6).await.unwrap();
    assert_eq!(
        (done.removed, done.min_revision),
        (4, 5),
        "the commit of 5 and 6 stays whole"
    );
    assert_eq!(alerts.compact(6).await.unwrap().removed, 0);

    let resume = |token: &str| WatchRequest {
        resume_token: token.into(),
        ..Default::default()
    };
    for token in &tokens[..4] {
        let failure = alerts.watch(resume(token)).await.map(|_| ()).unwrap_err();
        assert_eq!(failure.reason, "REVISION_COMPACTED");
        assert_eq!(failure.metadata, [("min_revision".to_owned(), "5".to_owned())]);
    }
    for (revision, token) in tokens.iter().enumerate().take(EVENTS).skip(4) {
        let line = &take(&mut watch(&alerts, "", token).await, 1).await[0];
        assert!(line.starts_with(&format!("{} ", revision + 1)), "{line}");
    }
    // Everything may go; alerts, lists and explanations stay.
    let done = alerts.compact_history(7).await.unwrap();
    assert_eq!((done.removed, done.min_revision), (7, 12));
    assert_eq!(list(&alerts, "").await.len(), 5);
    alerts.explain(&id_of(&alerts, "T1").await).await.unwrap();
    assert_eq!(with_list(&alerts, "").await.0.len(), 6);
    let mut stream = watch(&alerts, "", &tokens[EVENTS]).await;
    record(&alerts, &hits(9, "2024-03-09", vec![hit("T9", &["o"])])).await;
    assert!(
        take(&mut stream, 1).await[0].starts_with("12 "),
        "revisions go on"
    );
}

async fn a_reader_that_history_overtakes_is_too_slow(store: Store) {
    let alerts = store.open().await;
    let token = token_now(&alerts, "").await;
    let many = |n: i64| (0..300).map(|k| hit(&format!("m{n}-{k}"), &["o"])).collect();
    record(&alerts, &hits(1, "2024-03-01", many(1))).await;
    let mut stream = watch(&alerts, "", &token).await;
    assert!(take(&mut stream, 1).await[0].starts_with("1 "));
    store.clock.set("2024-04-01");
    alerts.compact_history(7).await.unwrap();
    // What was read before is still delivered; then the gap is told.
    let mut last = 1;
    let failure = loop {
        match next(&mut stream).await {
            Ok(item) => {
                last += 1;
                assert!(describe(&item).0.starts_with(&format!("{last} ")));
            }
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.reason, "SLOW_CONSUMER");
    assert!(
        failure
            .metadata
            .contains(&("min_revision".to_owned(), "301".to_owned()))
    );
    assert!(last < 300);
    assert!(stream.next().await.is_none());
}

/// A server whose streams soon say by a bookmark that they have reached the end of the log.
async fn open_eager(store: &Store) -> alerts::Alerts {
    let bookmark_every = Duration::from_millis(10);
    store
        .open_with(Settings {
            bookmark_every,
            ..Settings::default()
        })
        .await
}

async fn a_live_reader_far_behind_is_too_slow_and_can_resume(store: Store) {
    let alerts = open_eager(&store).await;
    let request = WatchRequest {
        max_outstanding: 5,
        ..Default::default()
    };
    let mut stream = alerts.watch(request).await.unwrap();
    let (_, token) = describe(&next(&mut stream).await.unwrap());
    assert_eq!(take(&mut stream, 1).await, ["bookmark 0"], "live from here");
    let one = |n: i64| outcome(&format!("R-{n}"), RuleState::Evaluated, vec![hit("T", &["o"])]);
    // Six commits: five may wait behind the one to deliver.
    for n in 1..=6 {
        record(&alerts, &output(n, "2024-03-01", vec![one(n)])).await;
    }
    assert_eq!(take(&mut stream, 6).await[5], "6 Opened T OPEN");
    assert_eq!(take(&mut stream, 1).await, ["bookmark 6"]);
    for n in 7..=13 {
        record(&alerts, &output(n, "2024-03-01", vec![one(n)])).await;
    }
    let failure = next(&mut stream).await.unwrap_err();
    assert_eq!(failure.reason, "SLOW_CONSUMER");
    assert!(
        failure
            .metadata
            .contains(&("max_outstanding".to_owned(), "5".to_owned()))
    );
    // Nothing is lost: catching up after a break is not slowness, however far it is.
    let request = WatchRequest {
        max_outstanding: 1,
        resume_token: token,
        ..Default::default()
    };
    let lines = take(&mut alerts.watch(request).await.unwrap(), 13).await;
    assert_eq!(lines[12], "13 Opened T OPEN");
}

async fn one_big_run_is_never_too_much(store: Store) {
    let alerts = open_eager(&store).await;
    let request = WatchRequest {
        max_outstanding: 5,
        ..Default::default()
    };
    let mut stream = alerts.watch(request).await.unwrap();
    assert_eq!(take(&mut stream, 2).await, ["bookmark 0"; 2]);
    let many = (0..700).map(|k| hit(&format!("m{k}"), &["o"])).collect();
    record(&alerts, &hits(1, "2024-03-01", many)).await;
    assert!(take(&mut stream, 700).await[699].starts_with("700 "));
}

async fn a_new_epoch_ends_open_streams(store: Store) {
    let alerts = store.open().await;
    let mut stream = watch(&alerts, "", "").await;
    assert_eq!(take(&mut stream, 1).await, ["bookmark 0"]);
    let epoch = alerts.new_epoch().await.unwrap();
    let failure = next(&mut stream).await.unwrap_err();
    assert_eq!(failure.reason, "LOG_EPOCH_CHANGED");
    assert_eq!(failure.metadata, [("log_epoch".to_owned(), epoch)]);
}

#[test]
fn a_watch_is_never_silent_for_more_than_fifteen_seconds() {
    assert_eq!(Settings::default().bookmark_every, Duration::from_secs(15));
}

async fn a_bookmark_comes_when_idle_and_carries_progress(store: Store) {
    let every = Duration::from_millis(40);
    let alerts = store
        .open_with(Settings {
            bookmark_every: every,
            ..Settings::default()
        })
        .await;
    let mut stream = watch(&alerts, "state = STALE", "").await;
    assert_eq!(take(&mut stream, 1).await, ["bookmark 0"]);
    let start = std::time::Instant::now();
    assert_eq!(take(&mut stream, 3).await, ["bookmark 0"; 3]);
    assert!(start.elapsed() >= 3 * every, "not more often than asked for");

    // Events that do not pass the filter move the bookmark: its token survives their compaction.
    record(&alerts, &hits(1, "2024-03-01", vec![hit("T1", &["o"])])).await;
    let token = loop {
        let (line, token) = describe(&next(&mut stream).await.unwrap());
        match line.as_str() {
            "bookmark 0" => continue,
            "bookmark 1" => break token,
            other => panic!("{other}"),
        }
    };
    store.clock.set("2024-04-01");
    assert_eq!(alerts.compact_history(7).await.unwrap().min_revision, 2);
    let mut resumed = watch(&alerts, "state = STALE", &token).await;
    record(
        &alerts,
        &output(2, "2024-03-02", vec![outcome("R-1", RuleState::Failed, vec![])]),
    )
    .await;
    for stream in [&mut resumed, &mut stream] {
        loop {
            let (line, _) = describe(&next(stream).await.unwrap());
            if line != "bookmark 1" {
                assert_eq!(line, "2 Stale T1 STALE");
                break;
            }
        }
    }
}
