/*---
id: OFF-02
version: 1
title: {zh: 线下价高于挂网价, en: Bought off the platform above the listed price}
target: OFF
status: stable
severity: high
certainty: strong
legal_basis:
  - {law: 国务院办公厅关于完善公立医院药品集中采购工作的指导意见（国办发〔2015〕7号）, article: 通过省级平台采购, effective_from: 2015-02-09}
  - {law: 治理高值医用耗材改革方案（国办发〔2019〕37号）, article: 平台公开交易, effective_from: 2019-07-19}
why:
  zh: 绕开平台又付出高于挂网价的价格，兼有渠道与价格两重问题。
  en: Leaving the platform and paying more than its price combines two problems, the channel and the price.
lawful_explanations:
  - zh: 急抢救时平台无货，经批准从其他渠道高价购入
    en: An emergency while the platform had no stock, bought elsewhere with approval
  - zh: 备案采购的价格已在备案中说明
    en: The price is stated in the filing
  - zh: 计价单位与挂网单位不同
    en: The price counts another unit than the listing
known_gaps:
  - zh: 只看采购渠道记为线下、备案或应急的明细；假称平台采购的见 OFF-01 和 PRC-03
    en: Only lines whose channel is offline, filed or emergency; false platform purchases are OFF-01's and PRC-03's
  - zh: 没有当日有效挂网价的产品不判断
    en: Products without a listing on the day are not judged
inputs:
  - {dataset: purchase_orders, max_staleness: 45d, required: [national_code, unit_price, ordered_at, channel]}
  - {dataset: platform_listings, required: [national_code, listed_price]}
  - {dataset: products, optional: true}
  - {dataset: hospitals, optional: true}
params: {margin_percent: "0.0", channels: [offline, filed_offline, emergency]}
identity: [hospital_id, order_id, line_no]
subject: {hospital_id: hospital_id, supplier_key: supplier_key, supplier_name: supplier_name, national_code: national_code}
evidence:
  - {dataset: purchase_orders, key: [order_id, line_no], column: purchase_line}
  - {dataset: platform_listings, key: [listing_id], column: listing_id}
amount_at_risk: excess_amount
message:
  zh: "{ordered_on} 线下采购 {product_name}，单价 {unit_price} 元，高于当日挂网价 {allowed_price} 元，多付 {excess_amount} 元。请先核对急抢救审批和备案说明。"
  en: "{product_name} bought off the platform on {ordered_on} at {unit_price} CNY, above the listed {allowed_price}; {excess_amount} CNY too much. Check first emergency approval and filing."
---*/
with

overpriced as (
    select * from priced_above_listing
),

off_platform as (
    select * from overpriced
    where channel in ($channels)
),

beyond_margin as (
    select * from off_platform
    where unit_price > allowed_price * (1 + $margin_percent / 100)
),

final as (
    select
        *,
        cast((unit_price - allowed_price) * quantity as decimal(18, 2)) as excess_amount
    from beyond_margin
)

select * from final
