/*---
id: TEN-05
version: 1
title: {zh: 卡线金额, en: Amounts just below the threshold}
target: MAN
status: stable
severity: low
certainty: indicator
legal_basis:
  - {law: 政府采购法, article: "28", effective_from: 2003-01-01}
why:
  zh: 一年内多个项目的预算恰好略低于公开招标数额标准，可能是按标准倒推预算。
  en: Several budgets within a year that end just below the public tender standard may have been made to fit it.
lawful_explanations:
  - zh: 预算按固定单价和数量计算得出
    en: The budget follows from a fixed price and quantity
  - zh: 框架协议项下的成交
    en: Call-offs under a framework agreement
  - zh: 采购方式已经批准
    en: The method was approved
known_gaps:
  - zh: 按自然年计数，跨年的集中立项看不到
    en: Counted by calendar year; a cluster over New Year is not seen
  - zh: 未同步限额标准时按中央标准判断
    en: Without synced thresholds the central standard is taken
inputs:
  - {dataset: tenders, max_staleness: 90d, required: [hospital_id, method, budget]}
  - {dataset: procurement_thresholds, optional: true}
  - {dataset: hospitals, optional: true}
params: {below_percent: "5.0", count_min: 3}
identity: [hospital_id, fiscal_year, kind]
subject: {hospital_id: hospital_id, staff_id: staff_id}
evidence:
  - {dataset: tenders, key: [tender_id], column: tender_ids}
  - {dataset: procurement_thresholds, key: [threshold_id], column: threshold_id}
amount_at_risk: total_budget
message:
  zh: "{fiscal_year} 年有 {tender_count} 个非公开招标项目的预算在限额 {standard} 元以下 {below_percent}% 之内，合计 {total_budget} 元。请先核对预算测算依据。"
  en: "In {fiscal_year}, {tender_count} budgets not tendered publicly lie within {below_percent}% below the standard of {standard} CNY, {total_budget} in all. Check first how the budgets were worked out."
---*/
with

tenders_dated as (
    select * from tender_facts
),

-- from the band's lower edge, included, to the standard, excluded
near_standard as (
    select * from tenders_dated
    where
        method <> 'public'
        and budget >= standard * (1 - $below_percent / 100)
        and budget < standard
        and hospital_id is not null
        and started_on <= $as_of
),

-- call-offs are many by design
without_framework as (
    select * from near_standard
    where method <> 'framework'
),

-- approved to use another method, or nothing was bought
without_approved_or_void as (
    select * from without_framework
    where not is_approved and not is_void
),

groups as (
    select
        hospital_id,
        fiscal_year,
        kind,
        count(*) as tender_count,
        cast(sum(budget) as decimal(18, 2)) as total_budget,
        max(standard) as standard,
        max(threshold_id) as threshold_id,
        max(handled_by) as staff_id,
        $below_percent as below_percent,
        array_agg(tender_id order by tender_id) as tender_ids
    from without_approved_or_void
    group by hospital_id, fiscal_year, kind
),

final as (
    select * from groups
    where tender_count >= $count_min
)

select * from final
