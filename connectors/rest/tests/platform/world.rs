//! What a platform holds, and how its interface shows it: the truth that a sync is measured against.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// One order of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub no: String,
    pub amount_fen: i64,
    /// Milliseconds since 1970; what lists are filtered and sorted by.
    pub updated_ms: i64,
}

/// How a list is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sorted {
    ByNumber,
    ByUpdate,
    NewestFirst,
    /// Differently at each request.
    Never,
    /// Differently at each second request.
    TurnedEachTwo,
}

/// A platform, with its manners.
#[derive(Debug, Clone)]
pub struct World {
    pub orders: Vec<Order>,
    /// Changes in their order, for the feed: number, order.
    pub changes: Vec<Order>,
    pub sorted: Sorted,
    /// Most records on a page, whatever is asked for.
    pub page_max: Option<usize>,
    /// Pages and totals are the same whatever is asked for.
    pub ignores_page: bool,
    /// A page after the last is the last again.
    pub clamps_page: bool,
    /// Lists of a window or cursor are the whole list.
    pub ignores_filter: bool,
    /// The cursor's filter is `>` instead of `>=`.
    pub is_exclusive: bool,
    /// Added to every total.
    pub total_off: i64,
    /// Members that are called otherwise.
    pub renamed: BTreeMap<String, String>,
    /// Members that every record has besides.
    pub added: Map<String, Value>,
    /// An empty list is left out of the answer.
    pub hides_empty: bool,
    /// The order whose last update is shown as null.
    pub unreadable_cursor: Option<String>,
    /// How often a list was asked for.
    pub lists: usize,
}

/// 2024-06-01 08:00 in China.
pub const START_MS: i64 = 1_717_200_000_000;
pub const MINUTE_MS: i64 = 60_000;

impl World {
    /// `count` orders, `PT0001` and so on, one a minute.
    pub fn new(count: usize) -> Self {
        let mut world = Self {
            orders: Vec::new(),
            changes: Vec::new(),
            sorted: Sorted::ByNumber,
            page_max: None,
            ignores_page: false,
            clamps_page: false,
            ignores_filter: false,
            is_exclusive: false,
            total_off: 0,
            renamed: BTreeMap::new(),
            added: Map::new(),
            hides_empty: false,
            unreadable_cursor: None,
            lists: 0,
        };
        for n in 1..=count {
            world.put(
                &format!("PT{n:04}"),
                100 + n as i64,
                START_MS + n as i64 * MINUTE_MS,
            );
        }
        world
    }

    /// Adds the order, or changes it.
    pub fn put(&mut self, no: &str, amount_fen: i64, updated_ms: i64) {
        let order = Order {
            no: no.to_owned(),
            amount_fen,
            updated_ms,
        };
        self.orders.retain(|o| o.no != no);
        self.orders.push(order.clone());
        self.changes.push(order);
    }

    pub fn delete(&mut self, no: &str) {
        let count = self.orders.len();
        self.orders.retain(|o| o.no != no);
        assert_eq!(self.orders.len() + 1, count, "{no} is there to be deleted");
    }

    /// Number -> amount in yuan, as the lake would hold it.
    pub fn truth(&self) -> BTreeMap<String, String> {
        let yuan = |fen: i64| format!("{}.{:02}", fen / 100, fen % 100);
        self.orders
            .iter()
            .map(|o| (o.no.clone(), yuan(o.amount_fen)))
            .collect()
    }

    fn record(&self, order: &Order) -> Value {
        let mut record = json!({
            "orderNo": order.no,
            "hospital": { "code": "H0001", "name": "示例市第一人民医院" },
            "qty": "2",
            "amountFen": order.amount_fen,
            "updatedAt": order.updated_ms,
        });
        let members = record.as_object_mut().expect("an object");
        members.extend(self.added.clone());
        if self.unreadable_cursor.as_ref() == Some(&order.no) {
            members.insert("updatedAt".to_owned(), Value::Null);
        }
        for (from, to) in &self.renamed {
            if let Some(value) = members.shift_remove(from) {
                members.insert(to.clone(), value);
            }
        }
        record
    }

    /// Answers a list request with these parameters. The URL of the next page is relative.
    pub fn list(&mut self, params: &BTreeMap<String, String>) -> Listed {
        self.lists += 1;
        let number = |name: &str| params.get(name).and_then(|v| v.parse::<i64>().ok());
        let mut orders = self.orders.clone();
        match self.sorted {
            Sorted::ByNumber => orders.sort_by(|a, b| a.no.cmp(&b.no)),
            Sorted::ByUpdate => orders.sort_by(|a, b| (a.updated_ms, &a.no).cmp(&(b.updated_ms, &b.no))),
            Sorted::NewestFirst => orders.sort_by(|a, b| (b.updated_ms, &b.no).cmp(&(a.updated_ms, &a.no))),
            Sorted::Never | Sorted::TurnedEachTwo => {
                let every = if self.sorted == Sorted::Never { 1 } else { 2 };
                let turns = (self.lists - 1) / every;
                let shift = turns * 7 % orders.len().max(1);
                orders.rotate_left(shift);
            }
        }
        if !self.ignores_filter {
            let (from, to, since) = (number("from"), number("to"), number("since"));
            orders.retain(|o| {
                from.is_none_or(|from| o.updated_ms >= from)
                    && to.is_none_or(|to| o.updated_ms <= to)
                    && since.is_none_or(|since| {
                        o.updated_ms > since || (o.updated_ms == since && !self.is_exclusive)
                    })
            });
        }
        let total = orders.len();
        let size = number("size")
            .map_or(usize::MAX, |n| n as usize)
            .min(self.page_max.unwrap_or(usize::MAX));
        let pages = total.div_ceil(size.min(total).max(1));
        let mut page = number("page").map_or(1, |p| p.max(1) as usize);
        if self.ignores_page {
            page = 1;
        }
        if self.clamps_page {
            page = page.min(pages.max(1));
        }
        let mut start =
            number("offset").map_or((page - 1).saturating_mul(size.min(total.max(1))), |o| o as usize);
        if let Some(token) = params.get("token").filter(|t| !t.is_empty()) {
            start = orders.iter().take_while(|o| o.no <= *token).count();
        }
        let shown: Vec<&Order> = orders.iter().skip(start).take(size).collect();
        let more = start + shown.len() < total;
        let token = shown.last().filter(|_| more).map(|o| o.no.clone());
        Listed {
            records: shown.iter().map(|o| self.record(o)).collect(),
            total: (total as i64 + self.total_off).max(0),
            pages,
            more,
            token,
            next: more.then(|| format!("orders?page={}&size={size}", page + 1)),
        }
    }

    /// Answers a feed request: changes after the token, which is the number of the last change.
    pub fn feed(&mut self, params: &BTreeMap<String, String>) -> Listed {
        self.lists += 1;
        let after: usize = params.get("token").and_then(|t| t.parse().ok()).unwrap_or(0);
        let size = params
            .get("size")
            .and_then(|s| s.parse().ok())
            .unwrap_or(usize::MAX);
        let shown: Vec<&Order> = self.changes.iter().skip(after).take(size).collect();
        let end = after + shown.len();
        Listed {
            records: shown.iter().map(|o| self.record(o)).collect(),
            total: self.changes.len() as i64,
            pages: 0,
            more: end < self.changes.len(),
            token: Some(end.to_string()),
            next: None,
        }
    }
}

/// One page as the platform shows it.
#[derive(Debug)]
pub struct Listed {
    pub records: Vec<Value>,
    pub total: i64,
    pub pages: usize,
    pub more: bool,
    pub token: Option<String>,
    pub next: Option<String>,
}

impl Listed {
    pub fn body(&self, hides_empty: bool) -> String {
        let mut data = json!({
            "total": self.total,
            "pages": self.pages,
            "hasMore": self.more,
            "nextToken": self.token,
            "nextUrl": self.next,
            "list": self.records,
        });
        if hides_empty && self.records.is_empty() {
            data = Value::Null;
        }
        json!({ "code": 0, "msg": "success", "data": data }).to_string()
    }
}
