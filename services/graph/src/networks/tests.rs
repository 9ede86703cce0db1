//! The networks on small markets whose answer can be told by hand.

use super::*;

/// "t1 a b* c" with `*` for the winner; one tender a line, a day apart.
fn market(lines: &[&str]) -> Market {
    let bids = lines.iter().enumerate().flat_map(|(day, line)| {
        let (tender, bidders) = line.split_once(' ').unwrap();
        bidders.split(' ').map(move |bidder| BidInput {
            tender: tender.to_owned(),
            bidder: bidder.trim_end_matches('*').to_owned(),
            is_winner: bidder.ends_with('*'),
            day: Some(day as i32),
        })
    });
    Market::build(bids.collect())
}

/// A ring of three that take turns, and three others who meet each other without a pattern.
fn ring() -> Market {
    market(&[
        "t1 a* b c",
        "t2 a b* c",
        "t3 a b c*",
        "t4 a* b c",
        "t5 a b* c",
        "t6 a b c* x",
        "u1 x* y",
        "u2 x* y z",
        "u3 x* z",
        "u4 x* y z",
        "u5 y",
        "u6 x y* z",
    ])
}

#[test]
fn pairs_count_their_meetings_and_wins() {
    let market = market(&["t1 a* b", "t1 a b", "t2 b* a c", "t3 a", "t4 c* b"]);
    let rows = market.co_bidding();
    let ab = rows[0];
    assert_eq!(
        (
            ab.a_party_id,
            ab.b_party_id,
            ab.tenders,
            ab.a_tenders,
            ab.b_tenders
        ),
        ("a", "b", 2, 3, 3)
    );
    assert_eq!((ab.a_wins, ab.b_wins), (1, 1));
    assert!((ab.overlap - 0.5).abs() < 1e-12);
    assert_eq!(rows.len(), 3);
}

#[test]
fn losers_have_a_main_winner_and_the_winner_the_greatest_rank() {
    let market = ring();
    let rows = market.bidders();
    let of = |id: &str| *rows.iter().find(|r| r.party_id == id).unwrap();
    let y = of("y");
    assert_eq!((y.tenders, y.wins, y.losses), (5, 1, 3), "nobody won u5");
    assert_eq!((y.main_winner_id, y.main_winner_losses), (Some("x"), 3));
    assert_eq!(of("c").wins, 2);
    assert!((rows.iter().map(|r| r.pagerank).sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(of("x").pagerank > of("z").pagerank);
}

#[test]
fn communities_tell_rotation_from_one_winner() {
    let market = ring();
    let rows = market.communities();
    let of = |id: &str| *rows.iter().find(|r| r.party_id == id).unwrap();
    let (b, y) = (of("b"), of("y"));
    assert_eq!(
        (b.community_id, b.size, b.tenders, b.community_wins, b.wins),
        ("a", 3, 6, 6, 2)
    );
    assert!((b.rotation - 1.0).abs() < 1e-9 && (b.turns - 1.0).abs() < 1e-9);
    assert!((b.cohesion - 1.0).abs() < 1e-9, "all pairs met six times");
    assert!(
        (b.exclusivity - 36.0 / 39.0).abs() < 1e-9,
        "x came in once, and met three"
    );
    assert!((b.concentration - 1.0 / 3.0).abs() < 1e-6);
    assert_eq!(
        (y.community_id, y.size, y.tenders, y.community_wins),
        ("x", 3, 5, 5)
    );
    assert!(
        y.rotation < 0.5 && y.concentration > 0.4 && y.cohesion < 1.0,
        "{y:?}"
    );
    // Wins: x x x x y.
    assert!((y.turns - 0.25).abs() < 1e-9);
}

#[test]
fn the_order_of_rows_changes_nothing_and_the_empty_market_is_empty() {
    let bids = |turned: usize| {
        let mut bids: Vec<BidInput> = (0..60)
            .map(|n: usize| BidInput {
                tender: format!("t{}", n % 17),
                bidder: format!("b{}", n * n % 11),
                is_winner: n.is_multiple_of(5),
                day: (!n.is_multiple_of(3)).then_some((n % 17) as i32),
            })
            .collect();
        bids.rotate_left(turned);
        Market::build(bids)
    };
    let (one, other) = (bids(0), bids(23));
    assert_eq!(one.co_bidding(), other.co_bidding());
    assert_eq!(one.bidders(), other.bidders());
    assert_eq!(one.communities(), other.communities());
    let empty = Market::build(Vec::new());
    assert!(empty.co_bidding().is_empty() && empty.bidders().is_empty() && empty.communities().is_empty());
}

#[test]
fn a_tender_of_everybody_pairs_nobody() {
    let everybody = (0..101).map(|n| format!("b{n}")).collect::<Vec<_>>().join(" ");
    let market = market(&[&format!("t1 {everybody}"), "t2 b1 b2*"]);
    assert_eq!(market.co_bidding().len(), 1);
    assert_eq!(market.bidders().len(), 101);
}
