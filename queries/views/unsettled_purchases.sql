/*---
name: unsettled_purchases
title: {zh: 未逐笔对应平台订单的采购明细, en: Purchase lines that no platform order simply bears out}
---*/
select
    l.order_id,
    l.line_no,
    l.hospital_id,
    l.national_code,
    l.product_id,
    l.product_name,
    l.supplier_party_id,
    l.supplier_key,
    l.supplier_name,
    l.quantity,
    l.line_amount,
    l.ordered_on,
    l.channel,
    l.platform_order_id,
    l.filing_no,
    l.approved_by
from purchases as l
left semi join unsettled_platform_orders as o on l.platform_order_id = o.platform_order_id
where l.national_code is not null
union all
select
    order_id,
    line_no,
    hospital_id,
    national_code,
    product_id,
    product_name,
    supplier_party_id,
    supplier_key,
    supplier_name,
    quantity,
    line_amount,
    ordered_on,
    channel,
    platform_order_id,
    filing_no,
    approved_by
from purchases
where national_code is not null and platform_order_id is null
