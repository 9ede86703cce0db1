//! Who may hold how much of the engine's memory. DataFusion's fair pool gives each of the many sorts and
//! groupings of a rule an equal sliver, used or not, and makes exchanges between threads spill, which can stop
//! them for ever (apache/datafusion#24883). Here whoever can spill may grow freely while half of the memory is
//! free, and exchanges, which hold a few batches, are counted but never refused.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

/// A memory pool of fixed size, in bytes.
#[derive(Debug)]
pub struct EnginePool {
    bytes_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// By operators that can write what they hold to files.
    spillable: usize,
    /// By all others.
    fixed: usize,
    /// How many operators can spill, exchanges not counted.
    spillers: usize,
}

impl EnginePool {
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            held: Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exchanges name themselves so; DataFusion gives no other sign of them.
fn is_exchange(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with("RepartitionExec")
}

fn is_spiller(consumer: &MemoryConsumer) -> bool {
    consumer.can_spill() && !is_exchange(consumer)
}

impl MemoryPool for EnginePool {
    fn name(&self) -> &str {
        "engine"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if is_spiller(consumer) {
            self.held().spillers += 1;
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if is_spiller(consumer) {
            let mut held = self.held();
            held.spillers = held.spillers.saturating_sub(1);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let mut held = self.held();
        match is_spiller(reservation.consumer()) {
            true => held.spillable += additional,
            false => held.fixed += additional,
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut held = self.held();
        match is_spiller(reservation.consumer()) {
            true => held.spillable = held.spillable.saturating_sub(shrink),
            false => held.fixed = held.fixed.saturating_sub(shrink),
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let consumer = reservation.consumer();
        if is_exchange(consumer) {
            self.grow(reservation, additional);
            return Ok(());
        }
        let mut held = self.held();
        let left = self.bytes_max.saturating_sub(held.fixed + held.spillable);
        let fits = additional <= left
            && (!is_spiller(consumer) || {
                let for_spillers = self.bytes_max.saturating_sub(held.fixed) / 2;
                let fair = for_spillers / held.spillers.max(1);
                held.spillable + additional <= for_spillers || reservation.size() + additional <= fair
            });
        if !fits {
            return Err(resources_datafusion_err!(
                "Failed to allocate {additional} bytes for {}, which holds {}: {left} of {} are left",
                consumer.name(),
                reservation.size(),
                self.bytes_max
            ));
        }
        match is_spiller(consumer) {
            true => held.spillable += additional,
            false => held.fixed += additional,
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        let held = self.held();
        held.fixed + held.spillable
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes_max)
    }
}

impl fmt::Display for EnginePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "engine(bytes_max: {})", self.bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn pool() -> Arc<dyn MemoryPool> {
        Arc::new(EnginePool::new(100))
    }

    #[test]
    fn one_spiller_takes_half_and_leaves_half_to_what_cannot_spill() {
        let pool = pool();
        let sort = MemoryConsumer::new("sort").with_can_spill(true).register(&pool);
        let idle = MemoryConsumer::new("idle").with_can_spill(true).register(&pool);
        assert!(sort.try_grow(50).is_ok());
        assert!(sort.try_grow(1).is_err());
        assert!(idle.try_grow(25).is_ok(), "its fair share is left to the other");
        assert!(idle.try_grow(1).is_err());
        let join = MemoryConsumer::new("join").register(&pool);
        assert!(join.try_grow(25).is_ok());
        assert!(join.try_grow(1).is_err());
        drop((sort, idle, join));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn exchanges_are_counted_and_never_refused() {
        let pool = pool();
        let exchange = MemoryConsumer::new("RepartitionExec[1]")
            .with_can_spill(true)
            .register(&pool);
        assert!(exchange.try_grow(200).is_ok());
        assert_eq!(pool.reserved(), 200);
        let join = MemoryConsumer::new("join").register(&pool);
        assert!(join.try_grow(1).is_err());
        drop(exchange);
        assert!(join.try_grow(100).is_ok());
    }
}
