//! Control as a fixpoint: X controls Y when X, together with all that X controls, holds over half of Y
//! (公司法 265; the definition for companies of Magnanimi and Iezzi, EcoFinKG 2022, CEUR Vol-3135).

use crate::ownership::holdings::{Held, Holdings};

/// Half, in units of a ten-thousandth of a percent. Control takes more.
const HALF: u64 = 500_000;

/// Whom each of `holders` controls. Sums are of whole numbers: 50.0000 % is never control, 50.0001 % always.
pub(crate) struct Controls<'h> {
    /// What each party holds of whom.
    downwards: &'h Holdings,
    /// Of each party what the present holder's group has, and which parties have any.
    sums: Vec<u64>,
    touched: Vec<u32>,
    /// Holdings that may still be looked at.
    budget: u64,
}

impl<'h> Controls<'h> {
    pub fn new(downwards: &'h Holdings, budget: u64) -> Self {
        Self {
            downwards,
            sums: vec![0; downwards.len()],
            touched: Vec::new(),
            budget,
        }
    }

    /// Every party that `holder` controls, in the order of being found; `None` when the budget is used up.
    pub fn of(&mut self, holder: u32) -> Option<Vec<u32>> {
        let mut controlled: Vec<u32> = Vec::new();
        let mut at = 0;
        let mut next = Some(holder);
        while let Some(party) = next {
            for Held {
                party: company,
                share,
            } in self.downwards.of(party)
            {
                if self.budget == 0 {
                    self.clear();
                    return None;
                }
                self.budget -= 1;
                let sum = &mut self.sums[*company as usize];
                let before = *sum;
                *sum += u64::from(*share);
                if before == 0 {
                    self.touched.push(*company);
                }
                if before <= HALF && *sum > HALF && *company != holder {
                    controlled.push(*company);
                }
            }
            next = controlled.get(at).copied();
            at += 1;
        }
        self.clear();
        Some(controlled)
    }

    fn clear(&mut self) {
        for company in self.touched.drain(..) {
            self.sums[company as usize] = 0;
        }
    }
}
