//! Half-open spans of days: `from <= d < to`.

/// Days since 1970-01-01; an open end is the least or greatest number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    pub from: i32,
    pub to: i32,
}

impl Interval {
    pub const ALWAYS: Interval = Interval {
        from: i32::MIN,
        to: i32::MAX,
    };

    pub fn new(from: Option<i32>, to: Option<i32>) -> Self {
        Self {
            from: from.unwrap_or(i32::MIN),
            to: to.unwrap_or(i32::MAX),
        }
    }

    /// The one day `day`.
    pub fn day(day: i32) -> Self {
        Self {
            from: day,
            to: day.saturating_add(1),
        }
    }

    pub fn is_empty(self) -> bool {
        self.from >= self.to
    }

    pub fn intersect(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            to: self.to.min(other.to),
        }
    }

    pub fn contains(self, other: Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// First day; `None` when open.
    pub fn valid_from(self) -> Option<i32> {
        (self.from != i32::MIN).then_some(self.from)
    }

    /// First day after; `None` when open.
    pub fn valid_to(self) -> Option<i32> {
        (self.to != i32::MAX).then_some(self.to)
    }
}
