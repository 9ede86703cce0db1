/*---
name: unsettled_platform_orders
title: {zh: 未逐笔对应的平台订单号, en: "Numbers of platform orders that do not simply agree with the purchase lines that name them"}
---*/
with

lines as (
    select * from purchases
    where national_code is not null
),

platform as (
    select * from platform_orders_known
),

-- the one pass over all lines and orders: each with what must agree, as one number, and what was ordered and bought
claims_and_orders as (
    select
        platform_order_id,
        hash64(hospital_id, national_code, supplier_party_id) as trade,
        quantity as bought,
        cast(null as decimal(18, 4)) as ordered
    from lines
    where platform_order_id is not null
    union all
    select
        platform_order_id,
        case when not is_cancelled then hash64(hospital_id, national_code, supplier_party_id) end as trade,
        cast(null as decimal(18, 4)) as bought,
        quantity as ordered
    from platform
),

-- nearly all end here: the lines that name an order are of its hospital, product and supplier, and buy all of it
orders_unsettled as (
    select platform_order_id
    from claims_and_orders
    group by platform_order_id
    having
        count(ordered) <> 1
        or count(bought) + 1 <> count(*)
        or count(trade) <> count(*)
        or min(trade) <> max(trade)
        or coalesce(sum(bought), 0) <> sum(ordered)
        or min(bought) <= 0
),

-- a cell may name several platform orders: each of them is looked at, too
final as (
    select
        unnest(array_append(
            string_to_array(regexp_replace(trim(platform_order_id), '[,，、;；/ ]+', ',', 'g'), ','),
            platform_order_id
        )) as platform_order_id
    from orders_unsettled
)

select * from final
