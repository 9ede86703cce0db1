/*---
name: unsettled_platform_orders
title: {zh: 未逐笔对应的平台订单号, en: "Numbers of platform orders that do not simply agree with the purchase lines that name them"}
---*/
with

-- nearly all lines and orders cancel out; what else stands in the groups of the others is looked at again
groups as (
    select * from unbalanced_orders
),

lines as (
    select l.* from purchases as l
    left semi join groups as g on hash64(l.platform_order_id) & 4194303 = g.order_group
    where l.national_code is not null
),

platform as (
    select p.* from platform_orders_known as p
    left semi join groups as g on hash64(p.platform_order_id) & 4194303 = g.order_group
),

-- each with what must agree, as one number, and what was ordered and bought
claims_and_orders as (
    select
        platform_order_id,
        hash64(hospital_id, national_code, supplier_party_id) as trade,
        quantity as bought,
        cast(null as decimal(18, 4)) as ordered
    from lines
    union all
    select
        platform_order_id,
        case when not is_cancelled then hash64(hospital_id, national_code, supplier_party_id) end as trade,
        cast(null as decimal(18, 4)) as bought,
        quantity as ordered
    from platform
),

-- settled are: the lines that name an order are of its hospital, product and supplier, and buy all of it
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
