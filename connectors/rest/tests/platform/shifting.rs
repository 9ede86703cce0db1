//! Lists that move while they are read, and counts that do not add up.

use crate::scenario::{Expect, List, check, scenario};
use crate::world::{MINUTE_MS, START_MS, Sorted};

#[tokio::test]
async fn every_way_of_turning_pages_reads_the_whole_list() {
    use List::{
        Feed, Form, JsonBody, Keyset, Link, NextUrl, Offset, Pages, PagesCounted, PagesUntilEmpty, Single,
        Token,
    };
    let quiet = |name, list, requests| scenario(name, list).requests(requests);
    check(vec![
        quiet("one answer", Single, 1),
        quiet("page numbers with a total", Pages, 6),
        quiet("page numbers until an empty page", PagesUntilEmpty, 8),
        quiet("page numbers with the number of pages", PagesCounted, 6),
        quiet("offsets", Offset, 6),
        quiet("tokens", Token, 3),
        quiet("links in the header", Link, 6),
        quiet("URLs in the answer", NextUrl, 6),
        quiet("a JSON body", JsonBody, 6),
        quiet("a form", Form, 6),
        quiet("keyset", Keyset, 4),
        quiet("a feed", Feed, 3),
        quiet("windows", List::Windows, 13),
        quiet("from a cursor", List::Cursor, 6),
        scenario("an empty list", Pages)
            .world(|w| w.orders.clear())
            .requests(1),
        scenario("an empty list that is left out", Pages)
            .world(|w| {
                w.orders.clear();
                w.hides_empty = true;
            })
            .edit(
                "records = 'data.list'",
                "records = 'data.list'\nempty_when_missing = true",
            )
            .requests(1),
        scenario("exactly one page", Pages)
            .world(|w| w.orders.truncate(10))
            .requests(1),
        scenario("exactly two pages until an empty one", PagesUntilEmpty)
            .world(|w| w.orders.truncate(20))
            .requests(6),
        scenario(
            "the platform gives smaller pages than asked for, page numbers",
            Pages,
        )
        .world(|w| w.page_max = Some(4)),
        scenario("the platform gives smaller pages than asked for, offsets", Offset)
            .world(|w| w.page_max = Some(3)),
        scenario("the platform gives smaller pages than asked for, keyset", Keyset)
            .world(|w| w.page_max = Some(6)),
    ])
    .await;
}

#[tokio::test]
async fn rows_that_slip_between_pages_are_not_lost() {
    check(vec![
        scenario("a deleted row moves others to a page that was read", List::Pages)
            .change(2, |w| w.delete("PT0003"))
            .tells("ROWS_VANISHED_WHILE_READ"),
        scenario("the same with offsets", List::Offset)
            .change(3, |w| w.delete("PT0011"))
            .tells("ROWS_VANISHED_WHILE_READ"),
        scenario("the same with URLs in the answer", List::NextUrl)
            .change(2, |w| w.delete("PT0001"))
            .tells("ROWS_VANISHED_WHILE_READ"),
        scenario(
            "one row is deleted and one added, so that the count stays",
            List::Pages,
        )
        .change(2, |w| {
            w.delete("PT0002");
            w.put("PT0099", 9_900, START_MS);
        })
        .tells("ROWS_VANISHED_WHILE_READ"),
        scenario("a row is added at the front", List::Pages).change(2, |w| w.put("PT0000", 1, START_MS)),
        scenario("rows are added in three passes", List::Pages)
            .change(2, |w| w.put("PT0000", 1, START_MS))
            .change(5, |w| w.put("PT0005a", 2, START_MS))
            .change(8, |w| w.delete("PT0006"))
            .tells("ROWS_VANISHED_WHILE_READ"),
        scenario(
            "an update moves a row from the last page to the first",
            List::Pages,
        )
        .world(|w| w.sorted = Sorted::NewestFirst)
        .change(2, |w| w.put("PT0001", 7_700, START_MS + 60 * MINUTE_MS)),
        scenario("an update between the passes is seen", List::Pages)
            .change(4, |w| w.put("PT0004", 8, START_MS)),
        scenario("two rows change places, and the count stays", List::Pages)
            .world(|w| w.sorted = Sorted::ByUpdate)
            .change(3, |w| {
                w.put("PT0002", 3, START_MS + 26 * MINUTE_MS);
                w.put("PT0024", 4, START_MS);
            }),
        scenario(
            "a list in another order each time, with a total that proves it whole",
            List::Pages,
        )
        .world(|w| {
            w.orders.truncate(20);
            w.sorted = Sorted::TurnedEachTwo;
        }),
        scenario("a list without an order", List::Pages)
            .world(|w| w.sorted = Sorted::Never)
            .fails("PAGES_UNSTABLE", 0),
        (1..40).step_by(3).fold(
            scenario("a list that never holds still", List::Pages).fails("PAGES_UNSTABLE", 0),
            |s, request| {
                s.change(request + 1, move |w| {
                    w.delete(&format!("PT{:04}", 1 + request / 3))
                })
            },
        ),
    ])
    .await;
}

#[tokio::test]
async fn counts_that_do_not_add_up_are_not_passed_over() {
    check(vec![
        scenario("the platform announces more than it gives", List::Pages)
            .world(|w| w.total_off = 2)
            .fails("TOTAL_MISMATCH", 0),
        scenario(
            "the platform announces more than it gives, and says so",
            List::Pages,
        )
        .world(|w| w.total_off = 2)
        .edit(
            "records = 'data.list'",
            "records = 'data.list'\ntotal_is = 'estimate'",
        )
        .tells("TOTAL_DIFFERS"),
        scenario("one answer that was cut off by the platform", List::Single)
            .world(|w| w.page_max = Some(20))
            .fails("TOTAL_MISMATCH", 0),
        scenario("tokens that end too early", List::Token)
            .world(|w| w.total_off = 5)
            .fails("TOTAL_MISMATCH", 0),
        scenario("the page number is ignored", List::Pages)
            .world(|w| w.ignores_page = true)
            .fails("PAGE_REPEATED", 0),
        scenario(
            "the page number is ignored, without a total",
            List::PagesUntilEmpty,
        )
        .world(|w| w.ignores_page = true)
        .fails("PAGE_REPEATED", 0),
        scenario("a page after the last is the last again", List::PagesUntilEmpty)
            .world(|w| w.clamps_page = true)
            .fails("PAGE_REPEATED", 0),
        scenario(
            "a page after the last is the last again, but pages are counted",
            List::PagesCounted,
        )
        .world(|w| w.clamps_page = true),
        scenario("more pages than allowed", List::Pages)
            .limits("pages_max = 2")
            .fails("TOO_MANY_PAGES", 0),
        scenario("the same order twice in a list", List::Token)
            .world(|w| {
                let mut twice = w.orders[4].clone();
                twice.amount_fen = 777;
                w.orders.insert(5, twice);
            })
            .expect(Expect::Truth)
            .tells("ROWS_REPEATED"),
    ])
    .await;
}
