/*---
id: PRC-03
version: 1
title: {zh: 高于挂网价采购, en: Bought above the listed price}
target: MAN
status: stable
severity: high
certainty: strong
legal_basis:
  - {law: 国务院办公厅关于完善公立医院药品集中采购工作的指导意见（国办发〔2015〕7号）, article: 按挂网价格采购, effective_from: 2015-02-09}
why:
  zh: 公立医院按省级平台当日有效的挂网价采购，高出部分没有依据。
  en: Public hospitals buy at the price listed on the provincial platform that day; what is above it has no ground.
lawful_explanations:
  - zh: 挂网价当日调整，订单按调整前价格执行
    en: The listed price changed that day and the order kept the earlier one
  - zh: 单价含配送、安装等另计费用，或计价单位与挂网单位不同
    en: The price includes delivery or fitting, or counts another unit than the listing
known_gaps:
  - zh: 没有医保编码的明细、没有当日有效挂网价的产品不判断
    en: Lines without a national code, and products without a listing on the day, are not judged
  - zh: 未同步机构行政区划时与各地挂网价比较，取最高者
    en: Without the hospital's region the highest listed price of any place is taken
  - zh: 任一产品缺包装数量时按同一单位比较
    en: Where a pack size is missing both prices are taken to count the same unit
inputs:
  - {dataset: purchase_orders, max_staleness: 45d, required: [national_code, unit_price, ordered_at]}
  - {dataset: platform_listings, required: [national_code, listed_price]}
  - {dataset: products, optional: true}
  - {dataset: hospitals, optional: true}
params: {margin_percent: "0.0"}
identity: [hospital_id, order_id, line_no]
subject: {hospital_id: hospital_id, supplier_key: supplier_key, supplier_name: supplier_name, national_code: national_code}
evidence:
  - {dataset: purchase_orders, key: [order_id, line_no], column: purchase_line}
  - {dataset: platform_listings, key: [listing_id], column: listing_id}
amount_at_risk: excess_amount
message:
  zh: "{ordered_on} 采购 {product_name}，单价 {unit_price} 元，高于当日挂网价 {allowed_price} 元，多付 {excess_amount} 元。请先核对计价单位和调价日期。"
  en: "{product_name} bought on {ordered_on} at {unit_price} CNY, above the listed {allowed_price}; {excess_amount} CNY too much. Check first the unit and the date of a price change."
---*/
with

overpriced as (
    select * from priced_above_listing
),

beyond_margin as (
    select * from overpriced
    where unit_price > allowed_price * (1 + $margin_percent / 100)
),

final as (
    select
        *,
        cast((unit_price - allowed_price) * quantity as decimal(18, 2)) as excess_amount
    from beyond_margin
)

select * from final
