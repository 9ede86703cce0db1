/*---
name: unbalanced_orders
title: {zh: 采购与平台两本账轧不平的订单号组, en: "Groups of order numbers in which what was bought and what the platform holds do not cancel out"}
---*/
-- The one pass over all lines and orders. Each line adds to its group (one of 4,194,304, told by the order number's
-- hash) its quantity times the hash of order, hospital, product and supplier, and each platform order takes its own
-- away: where all agrees, nothing is left. What cannot agree (cancelled, a return, a value missing) is null.
with

entries as (
    select
        hash64(platform_order_id) as account,
        case
            when quantity > 0
                then balance64(quantity, platform_order_id, hospital_id, national_code, supplier_party_id)
        end as entry
    from purchases
    where national_code is not null and platform_order_id is not null
    union all
    select
        hash64(platform_order_id) as account,
        case
            when quantity > 0 and not is_cancelled
                then balance64(-quantity, platform_order_id, hospital_id, national_code, supplier_party_id)
        end as entry
    from platform_orders_known
),

final as (
    select unnest(unbalanced(account, entry)) as order_group
    from entries
)

select * from final
