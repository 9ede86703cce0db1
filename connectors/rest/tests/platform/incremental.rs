//! Syncs one after another: late rows, equal cursors, interruptions, deleted history.

use crate::scenario::{Do, Expect, List, check, scenario};
use crate::world::{MINUTE_MS, START_MS, Sorted, World};

fn change(change: impl FnOnce(&mut World) + Send + 'static) -> Do {
    Do::Change(Box::new(change))
}

/// A moment by its minutes after the platform's first order. Syncs begin at 240.
fn at(minutes: i64) -> i64 {
    START_MS + minutes * MINUTE_MS
}

const LISTS: [(List, [&str; 6]); 3] = [
    (
        List::Windows,
        [
            "windows: new and changed rows",
            "windows: a row committed late, within the look-back",
            "windows: rows share one moment, and one more comes late",
            "windows: a list that is not sorted",
            "windows: a row changes while it is read",
            "windows: nothing new",
        ],
    ),
    (
        List::Cursor,
        [
            "cursor: new and changed rows",
            "cursor: a row committed late, within the look-back",
            "cursor: rows share one moment, and one more comes late",
            "cursor: a list that is not sorted",
            "cursor: a row changes while it is read",
            "cursor: nothing new",
        ],
    ),
    (
        List::Keyset,
        [
            "keyset: new and changed rows",
            "keyset: a row committed late, within the look-back",
            "keyset: rows share one moment across pages, and one more comes late",
            "keyset: a list that is sorted",
            "keyset: a row changes while it is read",
            "keyset: nothing new",
        ],
    ),
];

#[tokio::test]
async fn what_is_new_is_read_and_nothing_else_is_lost() {
    let mut all = Vec::new();
    for (list, [new, late, equal, unsorted, moving, quiet]) in LISTS {
        let sorted = |name| scenario(name, list).world(|w| w.sorted = Sorted::ByUpdate);
        all.push(sorted(new).steps(vec![
            Do::Sync,
            change(|w| {
                w.put("PT0101", 10_100, at(245));
                w.put("PT0003", 333, at(246));
            }),
            Do::Minutes(30),
            Do::Sync,
        ]));
        all.push(sorted(late).steps(vec![
            change(|w| w.put("PT0100", 1, at(230))),
            Do::Sync,
            // Committed after that sync, with a time before its end.
            change(|w| w.put("PT0102", 10_200, at(200))),
            Do::Minutes(30),
            Do::Sync,
        ]));
        all.push(
            sorted(equal)
                .world(|w| (0..8).for_each(|n| w.put(&format!("PT020{n}"), n, at(200))))
                .steps(vec![
                    Do::Sync,
                    change(|w| w.put("PT0209", 9, at(200))),
                    Do::Minutes(5),
                    Do::Sync,
                ]),
        );
        let order = if list == List::Keyset {
            Sorted::ByUpdate
        } else {
            Sorted::NewestFirst
        };
        all.push(scenario(unsorted, list).world(|w| w.sorted = order).steps(vec![
            Do::Sync,
            change(|w| w.put("PT0300", 5, at(241))),
            Do::Minutes(10),
            Do::Sync,
        ]));
        all.push(
            sorted(moving)
                .change(2, |w| w.put("PT0001", 4, at(239)))
                .steps(vec![Do::Sync, Do::Minutes(30), Do::Sync]),
        );
        all.push(sorted(quiet).steps(vec![Do::Sync, Do::Minutes(5), Do::Sync, Do::Minutes(5), Do::Sync]));
    }
    for (name, list) in [
        ("cursor: a row of the future", List::Cursor),
        ("keyset: a row of the future", List::Keyset),
    ] {
        all.push(
            scenario(name, list)
                .world(|w| {
                    w.sorted = Sorted::ByUpdate;
                    w.put("PT0400", 1, at(60 * 24 * 400));
                })
                .steps(vec![
                    Do::Sync,
                    change(|w| w.put("PT0401", 2, at(243))),
                    Do::Minutes(30),
                    Do::Sync,
                ])
                .tells("CURSOR_IN_FUTURE"),
        );
    }
    check(all).await;
}

#[tokio::test]
async fn an_interrupted_sync_goes_on_where_it_was() {
    let mut all = Vec::new();
    let names = [
        (
            List::Windows,
            [
                "windows: dies after 1",
                "windows: dies after 2",
                "windows: dies after 5",
                "windows: dies after 9",
            ],
        ),
        (
            List::Keyset,
            [
                "keyset: dies after 1",
                "keyset: dies after 2",
                "keyset: dies after 5",
                "keyset: dies after 9",
            ],
        ),
        (
            List::Feed,
            [
                "feed: dies after 1",
                "feed: dies after 2",
                "feed: dies after 5",
                "feed: dies after 9",
            ],
        ),
        (
            List::Pages,
            [
                "pages: dies after 1",
                "pages: dies after 2",
                "pages: dies after 5",
                "pages: dies after 9",
            ],
        ),
        (
            List::Cursor,
            [
                "cursor: dies after 1",
                "cursor: dies after 2",
                "cursor: dies after 5",
                "cursor: dies after 9",
            ],
        ),
    ];
    for (list, names) in names {
        for (name, after) in names.into_iter().zip([1, 2, 5, 9]) {
            let new = scenario(name, list).world(|w| w.sorted = Sorted::ByUpdate);
            all.push(new.steps(vec![
                Do::Crash(after),
                change(|w| w.put("PT0007", 7_007, at(239))),
                Do::Minutes(30),
                Do::Sync,
            ]));
        }
    }
    // Windows of 30 minutes up to minute 235: the first holds three pages, read twice, the others one each.
    all.push(
        scenario("a window that was committed is not read again", List::Windows)
            .edit("look_back = '60m'", "look_back = '0s'")
            .world(|w| w.put("PT0500", 5, at(100)))
            .status(8, 403)
            .steps(vec![Do::Sync, Do::CountRequests, Do::Sync])
            .requests(6),
    );
    all.push(
        scenario("a failure in mid-feed keeps what was committed", List::Feed)
            .status(3, 403)
            .fails("FORBIDDEN", 20),
    );
    all.push(
        scenario("a feed goes on from its token", List::Feed)
            .status(3, 403)
            .steps(vec![Do::Sync, Do::CountRequests, Do::Sync])
            .requests(1),
    );
    check(all).await;
}

#[tokio::test]
async fn what_cannot_be_read_on_is_said() {
    check(vec![
        scenario("keyset: more rows share a moment than fit a page", List::Keyset)
            .world(|w| {
                w.sorted = Sorted::ByUpdate;
                (0..12).for_each(|n| w.put(&format!("PT06{n:02}"), n, at(100)));
            })
            .fails("CURSOR_STUCK", 35),
        scenario("keyset: the list is not sorted", List::Keyset)
            .world(|w| w.sorted = Sorted::NewestFirst)
            .fails("UNSORTED", 0),
        scenario("keyset: the platform ignores the cursor", List::Keyset)
            .world(|w| {
                w.sorted = Sorted::ByUpdate;
                w.ignores_filter = true;
            })
            .fails("UNSORTED", 10),
        scenario("keyset: no record has the cursor member", List::Keyset)
            .edit("field = 'updatedAt'", "field = 'updateTime'")
            .fails("CURSOR_UNREADABLE", 0)
            .says("updateTime")
            .says("orderNo, hospital.code")
            .says("updatedAt")
            .requests(1),
        scenario(
            "keyset: no total, a full page without the cursor member",
            List::Keyset,
        )
        .edit("total = 'data.total'\n", "")
        .edit("field = 'updatedAt'", "field = 'updateTime'")
        .fails("CURSOR_UNREADABLE", 0)
        .says("updateTime")
        .requests(1),
        scenario("keyset: the cursor member is written otherwise", List::Keyset)
            .edit("format = 'epoch_ms'", "format = 'rfc3339'")
            .fails("CURSOR_UNREADABLE", 0)
            .says("incremental.format")
            .requests(1),
        scenario(
            "keyset: all is on one page without the cursor member",
            List::Keyset,
        )
        .world(|w| w.orders.truncate(7))
        .edit("field = 'updatedAt'", "field = 'updateTime'")
        .tells("CURSOR_UNREADABLE"),
        scenario(
            "keyset: a page whose last cursor value cannot be read goes on from the one before",
            List::Keyset,
        )
        .world(|w| {
            w.sorted = Sorted::ByUpdate;
            w.unreadable_cursor = Some("PT0010".to_owned());
        })
        .tells("CURSOR_UNREADABLE"),
        scenario("keyset: the platform takes only what is greater", List::Keyset)
            .world(|w| {
                w.sorted = Sorted::ByUpdate;
                w.is_exclusive = true;
            })
            .tells("BOUNDARY_NOT_REPEATED"),
        scenario("windows: the platform ignores the times", List::Windows)
            .world(|w| {
                w.ignores_filter = true;
                w.put("PT0700", 7, at(60 * 24 * 40));
            })
            .tells("ROWS_OUTSIDE_WINDOW"),
        scenario("windows that are too large are halved", List::Windows)
            .edit("kind = 'window'", "kind = 'window'\nsplit_over = 10"),
        scenario(
            "rows deleted at the source stay until keys are compared",
            List::Cursor,
        )
        .steps(vec![
            Do::Sync,
            change(|w| w.delete("PT0005")),
            Do::Minutes(5),
            Do::Sync,
        ])
        .expect(Expect::TruthAnd(&["PT0005"])),
        scenario("a list read recently is left alone", List::Pages)
            .stream("reread_after = '2h'")
            .steps(vec![Do::Sync, Do::CountRequests, Do::Minutes(60), Do::Sync])
            .tells("STREAM_FRESH")
            .requests(0),
        scenario("a list read long ago is read again", List::Pages)
            .stream("reread_after = '2h'")
            .steps(vec![
                Do::Sync,
                change(|w| w.put("PT0800", 1, at(250))),
                Do::Minutes(121),
                Do::Sync,
            ]),
    ])
    .await;
}
