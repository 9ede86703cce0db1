/*---
id: TEN-03
version: 1
title: {zh: 化整为零规避公开招标（法定口径）, en: Split to avoid public tender (as the statute defines it)}
target: MAN
status: stable
severity: high
certainty: statutory
legal_basis:
  - {law: 政府采购法, article: "28", effective_from: 2003-01-01}
  - {law: 政府采购法实施条例, article: "28", effective_from: 2015-03-01}
why:
  zh: 一个财政年度内，一个预算项目下同一品目或类别的货物、服务，以公开招标以外的方式多次采购，累计超过公开招标数额标准，属于化整为零。
  en: In one fiscal year, under one budget item, goods or services of one class bought more than once by other than public tender, in all above the public tender standard, count as a split.
lawful_explanations:
  - zh: 预算在年度中调整
    en: The budget was adjusted within the year
  - zh: 经设区的市级以上财政部门批准采用其他方式
    en: Another method was approved by the finance department
  - zh: 框架协议项下的多次成交
    en: Call-offs under a framework agreement
known_gaps:
  - zh: 没有预算项目编码、品目编码或预算金额的项目不计入
    en: Tenders without budget item, catalogue code or budget are not counted
  - zh: 未同步限额标准时按中央预算单位标准（200万元）判断，地方标准可能更高
    en: Without synced thresholds the central standard (2 million) is taken; the local one may be higher
  - zh: 未同步采购预算时看不到预算调整
    en: Without budget_items an adjustment of the budget cannot be seen
  - zh: 未立项的直接采购不在此列
    en: Direct purchases without a tender record are not looked at
inputs:
  - {dataset: tenders, max_staleness: 90d, required: [hospital_id, budget_item_code, catalogue_code, method, budget]}
  - {dataset: procurement_thresholds, optional: true}
  - {dataset: hospitals, optional: true}
  - {dataset: budget_items, optional: true}
params: {count_min: 2}
identity: [hospital_id, fiscal_year, budget_item_code, class_code]
subject: {hospital_id: hospital_id, budget_item_code: budget_item_code, staff_id: staff_id}
evidence:
  - {dataset: tenders, key: [tender_id], column: tender_ids}
  - {dataset: procurement_thresholds, key: [threshold_id], column: threshold_id}
amount_at_risk: total_budget
message:
  zh: "{fiscal_year} 年度预算项目 {budget_item_code} 同一品目类别 {class_code} 以非公开招标方式采购 {tender_count} 次，累计 {total_budget} 元，超过公开招标数额标准 {standard} 元（{standard_source}）。请先核对预算调整和采购方式批复。"
  en: "In {fiscal_year}, budget item {budget_item_code}, class {class_code}: {tender_count} purchases by other than public tender, {total_budget} CNY in all, above the standard of {standard} ({standard_source}). Check first budget adjustments and approvals."
---*/
with

tenders_dated as (
    select * from tender_facts
),

budgets as (
    select * from budget_items
),

-- goods and services by another method; works follow the tender law
not_public as (
    select * from tenders_dated
    where
        kind in ('goods', 'services')
        and method <> 'public'
        and budget > 0
        and hospital_id is not null
        and budget_item_code is not null
        and class_code is not null
        and started_on <= $as_of
),

-- approved to use another method before it began
without_approved as (
    select * from not_public
    where not is_approved
),

-- call-offs are many by design
without_framework as (
    select * from without_approved
    where method <> 'framework'
),

-- nothing was bought
without_void as (
    select * from without_framework
    where not is_void
),

budget_adjustments as (
    select distinct budget_item_code, fiscal_year, hospital_id
    from budgets
    where adjusted_amount <> amount
),

-- the project's budget was adjusted in that year
without_adjusted as (
    select t.* from without_void as t
    where not exists (
        select 1 from budget_adjustments as b
        where
            b.budget_item_code = t.budget_item_code
            and b.fiscal_year = t.fiscal_year
            and coalesce(b.hospital_id, t.hospital_id) = t.hospital_id
    )
),

-- where the standard changed within the year, the higher one
groups as (
    select
        hospital_id,
        fiscal_year,
        budget_item_code,
        class_code,
        count(*) as tender_count,
        cast(sum(budget) as decimal(18, 2)) as total_budget,
        max(standard) as standard,
        max(standard_source) as standard_source,
        max(threshold_id) as threshold_id,
        max(handled_by) as staff_id,
        array_agg(tender_id order by tender_id) as tender_ids
    from without_adjusted
    group by hospital_id, fiscal_year, budget_item_code, class_code
),

final as (
    select * from groups
    where tender_count >= $count_min and total_budget > standard
)

select * from final
