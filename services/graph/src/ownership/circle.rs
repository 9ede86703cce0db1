//! Parties that hold one another in a circle: the linear system of one strongly connected group.
//!
//! With A the holdings within the group, integrated shares are r (I - A)^-1 for shares r that come from
//! outside. The inverse exists, and has no negative entry, exactly when the spectral radius of A is below 1
//! (Berman and Plemmons, Nonnegative Matrices in the Mathematical Sciences, 1994, ch. 6): when someone
//! outside holds a part of the group, and no shares are told that sum to much over 100 %.

use crate::ownership::holdings::{Holdings, WHOLE};

/// Up to this many parties the system is solved by elimination, above it by iteration.
pub(crate) const DENSE_MAX: usize = 200;
/// Iteration stops when what is missing is below this.
const MISSING_MAX: f64 = 1e-12;
const SWEEPS_MAX: usize = 20_000;

/// The holdings within one group.
pub(crate) struct Circle {
    /// For each member, the members that hold it (place in the group) and their fractions.
    held_by: Vec<Vec<(u32, f64)>>,
    /// For each member, the members that it holds.
    holds: Vec<Vec<(u32, f64)>>,
    dense: Option<Factors>,
    /// By how much errors can grow, looking upwards and downwards; for iteration only.
    growth: [f64; 2],
}

/// Why a group has no integrated shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsolvable {
    /// Every member is held by members to exactly 100 %: nobody outside owns any of it.
    Closed,
    /// Shares told sum to so much over 100 % that circulating them grows without end.
    Inconsistent,
}

impl Circle {
    /// `place` gives a party's place in `members`, for members only.
    pub fn new(
        holdings: &Holdings,
        members: &[u32],
        place: impl Fn(u32) -> Option<u32>,
    ) -> Result<Self, Unsolvable> {
        let mut held_by = vec![Vec::new(); members.len()];
        let mut holds = vec![Vec::new(); members.len()];
        let (mut all_whole, mut some_over) = (true, false);
        for (at, member) in members.iter().enumerate() {
            let mut within = 0u64;
            for held in holdings.of(*member) {
                let Some(holder) = place(held.party) else { continue };
                within += u64::from(held.share);
                let share = f64::from(held.share) / f64::from(WHOLE);
                held_by[at].push((holder, share));
                holds[holder as usize].push((at as u32, share));
            }
            all_whole &= within == u64::from(WHOLE);
            some_over |= within > u64::from(WHOLE);
        }
        if all_whole {
            return Err(Unsolvable::Closed);
        }
        let mut circle = Self {
            held_by,
            holds,
            dense: None,
            growth: [1.0; 2],
        };
        if members.len() <= DENSE_MAX {
            circle.dense = Some(Factors::of(&circle.held_by).ok_or(Unsolvable::Inconsistent)?);
        } else {
            for way in [Way::Up, Way::Down] {
                circle.growth[way as usize] = circle.growth(way).ok_or(Unsolvable::Inconsistent)?;
            }
        }
        // Where all sums are below the whole the radius is below 1. Else ask what everybody's one unit comes to.
        if some_over {
            let units = circle
                .shares(&vec![1.0; members.len()])
                .ok_or(Unsolvable::Inconsistent)?;
            if units.iter().any(|unit| !unit.is_finite() || *unit < 1.0 - 1e-6) {
                return Err(Unsolvable::Inconsistent);
            }
        }
        Ok(circle)
    }

    /// y = r (I - A)^-1: what someone with the shares `from_outside` owns of each member in the end.
    pub fn shares(&self, from_outside: &[f64]) -> Option<Vec<f64>> {
        match &self.dense {
            Some(factors) => Some(factors.solve(from_outside, false)),
            None => self.iterate(Way::Up, from_outside),
        }
    }

    /// z = (I - A)^-1 r: how much of the parties below each member owns, given `below` without the circle.
    pub fn reach(&self, below: &[f64]) -> Option<Vec<f64>> {
        match &self.dense {
            Some(factors) => Some(factors.solve(below, true)),
            None => self.iterate(Way::Down, below),
        }
    }

    pub fn is_dense(&self) -> bool {
        self.dense.is_some()
    }
}

impl Circle {
    /// A little more than the greatest entry of x = 1 + M x: by how much an error in b can grow in the
    /// answer. `None` when there is no such x.
    fn growth(&self, way: Way) -> Option<f64> {
        let ones = vec![1.0; self.holds.len()];
        let mut x = ones.clone();
        for _ in 0..SWEEPS_MAX {
            let change = self.sweep(way, &ones, &mut x);
            let greatest = x.iter().copied().fold(0.0, f64::max);
            if !greatest.is_finite() || greatest > 1e12 {
                return None;
            }
            if change < 1e-9 * greatest {
                return Some(2.0 * greatest);
            }
        }
        None
    }

    /// Gauss-Seidel for x = b + M x, all entries at least 0. `None` when it does not end.
    fn iterate(&self, way: Way, b: &[f64]) -> Option<Vec<f64>> {
        let mut x = b.to_vec();
        for _ in 0..SWEEPS_MAX {
            let change = self.sweep(way, b, &mut x);
            let greatest = x.iter().copied().fold(0.0, f64::max);
            if change * self.growth[way as usize] <= MISSING_MAX || change <= 4.0 * f64::EPSILON * greatest {
                return Some(x);
            }
        }
        None
    }

    /// One sweep in the order in which shares flow, so that a ring takes one sweep a round; gives the
    /// greatest change.
    fn sweep(&self, way: Way, b: &[f64], x: &mut [f64]) -> f64 {
        let mut change = 0.0f64;
        let mut set = |at: usize, row: &[(u32, f64)]| {
            let sum: f64 = row.iter().map(|(other, share)| share * x[*other as usize]).sum();
            let new = b[at] + sum;
            change = change.max((new - x[at]).abs());
            x[at] = new;
        };
        match way {
            Way::Up => self.held_by.iter().enumerate().for_each(|(at, row)| set(at, row)),
            Way::Down => self
                .holds
                .iter()
                .enumerate()
                .rev()
                .for_each(|(at, row)| set(at, row)),
        }
        change
    }
}

/// Whether the system asks what flows to a member from its holders, or from those it holds.
#[derive(Debug, Clone, Copy)]
enum Way {
    Up,
    Down,
}

/// I - A^T factored with partial pivoting: P (I - A^T) = L U, row by row.
struct Factors {
    size: usize,
    lu: Vec<f64>,
    pivots: Vec<usize>,
}

impl Factors {
    fn of(held_by: &[Vec<(u32, f64)>]) -> Option<Self> {
        let size = held_by.len();
        let mut lu = vec![0.0; size * size];
        for (row, holders) in held_by.iter().enumerate() {
            lu[row * size + row] = 1.0;
            for (holder, share) in holders {
                lu[row * size + *holder as usize] -= share;
            }
        }
        let mut pivots = Vec::with_capacity(size);
        for column in 0..size {
            let pivot = (column..size).max_by(|a, b| {
                lu[a * size + column]
                    .abs()
                    .total_cmp(&lu[b * size + column].abs())
            })?;
            if lu[pivot * size + column].abs() < 1e-13 {
                return None;
            }
            pivots.push(pivot);
            if pivot != column {
                for at in 0..size {
                    lu.swap(pivot * size + at, column * size + at);
                }
            }
            let (above, below) = lu.split_at_mut((column + 1) * size);
            let top = &above[column * size..];
            for row in below.chunks_exact_mut(size) {
                let factor = row[column] / top[column];
                row[column] = factor;
                if factor.abs() > 0.0 {
                    for at in column + 1..size {
                        row[at] -= factor * top[at];
                    }
                }
            }
        }
        Some(Self { size, lu, pivots })
    }

    /// Solves (I - A^T) x = b, or (I - A) x = b when `transposed`.
    fn solve(&self, b: &[f64], transposed: bool) -> Vec<f64> {
        let (size, lu) = (self.size, &self.lu);
        let mut x = b.to_vec();
        if transposed {
            // U^T y = b, L^T z = y, x = P^T z.
            for row in 0..size {
                let sum: f64 = (0..row).map(|k| lu[k * size + row] * x[k]).sum();
                x[row] = (x[row] - sum) / lu[row * size + row];
            }
            for row in (0..size).rev() {
                let sum: f64 = (row + 1..size).map(|k| lu[k * size + row] * x[k]).sum();
                x[row] -= sum;
            }
            for (row, pivot) in self.pivots.iter().enumerate().rev() {
                x.swap(row, *pivot);
            }
        } else {
            for (row, pivot) in self.pivots.iter().enumerate() {
                x.swap(row, *pivot);
            }
            for row in 0..size {
                let sum: f64 = (0..row).map(|k| lu[row * size + k] * x[k]).sum();
                x[row] -= sum;
            }
            for row in (0..size).rev() {
                let sum: f64 = (row + 1..size).map(|k| lu[row * size + k] * x[k]).sum();
                x[row] = (x[row] - sum) / lu[row * size + row];
            }
        }
        x
    }
}
