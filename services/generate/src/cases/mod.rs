//! Planted violations and the lawful near misses beside them, one file an area of the law. Each stands on
//! ground of its own (suppliers, products, tenders that nothing else uses), so that it says one thing.

mod collusion;
mod offplatform;
mod price;
mod procedure;
mod relations;
mod suppliers;
mod tenders;

use crate::everyday::Scale;
use crate::province::Province;

/// Tells every case `scale.copies` times, at places and times that move with the copy.
pub(crate) fn plant(province: &mut Province, scale: Scale) {
    for copy in 0..scale.copies {
        offplatform::plant(province, copy);
        price::plant(province, copy);
        suppliers::plant(province, copy);
        tenders::plant(province, copy);
        procedure::plant(province, copy);
        collusion::plant(province, copy);
        relations::plant(province, copy);
    }
}
