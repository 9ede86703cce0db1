/*---
name: platform_orders_known
title: {zh: 截至日前的平台订单, en: Platform orders up to the date of the run}
---*/
-- Read in place, like `purchases`.
select
    platform_order_id,
    hospital_id,
    national_code,
    supplier_party_id,
    supplier_key,
    quantity,
    local_date(ordered_at) as on_day,
    coalesce(status, '') = 'cancelled' as is_cancelled
from platform_orders
where ordered_at is null or ordered_at < cast($as_of + 1 as timestamp) - interval '8 hours'
