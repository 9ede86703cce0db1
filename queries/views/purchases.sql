/*---
name: purchases
title: {zh: 截至日前的采购明细, en: Purchase lines up to the date of the run}
---*/
-- Read in place. The bound is a timestamp (the end of $as_of in China), so that it can be tested on stored values.
select
    *,
    local_date(ordered_at) as ordered_on,
    coalesce(amount, cast(quantity * unit_price as decimal(18, 2))) as line_amount
from purchase_orders
where
    hospital_id is not null
    and ordered_at < cast($as_of + 1 as timestamp) - interval '8 hours'
