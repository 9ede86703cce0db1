/*---
id: SUP-02
version: 1
title: {zh: 逾期补签廉洁协议, en: Integrity agreement made up late}
target: BEN
status: stable
severity: medium
certainty: strong
legal_basis:
  - law: 医疗机构廉洁购销管理规定（以合肥市第一人民医院2021年文件为准）
    article: 已发生购销行为但尚未签订的，应当及时完成补签
    effective_from: 2021-01-01
why:
  zh: 先购后签使协议失去约束作用；补签弥补缺口，但逾期天数和缺口金额应当留痕。
  en: An agreement signed after buying began binds nobody while it was needed; making it up closes the gap but days and amount stay on record.
lawful_explanations:
  - zh: 原协议遗失后重签，原件另有存档
    en: A lost agreement was signed again and the original is filed elsewhere
  - zh: 急抢救首次采购，随后补办
    en: A first purchase in an emergency, made up afterwards
known_gaps:
  - zh: 签订日期被倒填时看不出来
    en: A backdated signature cannot be seen
  - zh: 协议到期后续签的空档见 SUP-03
    en: A gap between an expired agreement and its renewal is SUP-03's
inputs:
  - {dataset: purchase_orders, max_staleness: 45d, required: [hospital_id, ordered_at]}
  - {dataset: agreements, required: [hospital_id, kind, signed_on]}
  - {dataset: relations, optional: true}
params: {late_days: 30}
identity: [hospital_id, supplier_key]
subject: {hospital_id: hospital_id, supplier_key: supplier_key, supplier_name: supplier_name}
evidence:
  - {dataset: purchase_orders, key: [order_id, line_no], column: purchase_lines}
  - {dataset: agreements, key: [agreement_id], column: agreement_ids}
amount_at_risk: gap_amount
message:
  zh: "{supplier_name} 的廉洁协议于 {signed_from} 才生效，晚于首笔采购 {days_late} 天，其间采购 {line_count} 行、{gap_amount} 元。请先核对是否有遗失重签的原件。"
  en: "The agreement of {supplier_name} binds only from {signed_from}, {days_late} days after the first purchase; {line_count} lines, {gap_amount} CNY in between. Check first for a lost original."
---*/
with

spans as (
    select * from purchase_spans
),

cover as (
    select * from agreement_cover
),

intervals as (
    select * from agreement_intervals
),

first_cover as (
    select hospital_id, supplier_party_id, kind, min(starts_on) as starts_on
    from cover
    where kind in ('integrity_agreement', 'integrity_commitment')
    group by hospital_id, supplier_party_id, kind
),

-- more than late_days between the first purchase and the day the agreement binds
late_kinds as (
    select f.*, s.first_on, f.starts_on - s.first_on as days_late
    from spans as s
    inner join first_cover as f
        on s.hospital_id = f.hospital_id and s.supplier_party_id = f.supplier_party_id
    where f.starts_on - s.first_on > $late_days
),

late_suppliers as (
    select
        hospital_id,
        supplier_party_id,
        max(starts_on) as signed_from,
        max(days_late) as days_late
    from late_kinds
    group by hospital_id, supplier_party_id
),

late_agreements as (
    select
        l.hospital_id,
        l.supplier_party_id,
        array_sort(array_agg(distinct i.agreement_id)) as agreement_ids
    from late_kinds as l
    inner join intervals as i
        on
            l.hospital_id = i.hospital_id
            and l.supplier_party_id = i.supplier_party_id
            and l.kind = i.kind
            and l.starts_on = i.starts_on
    group by l.hospital_id, l.supplier_party_id
),

gap_lines as (
    select
        p.order_id,
        p.line_no,
        p.hospital_id,
        p.supplier_party_id,
        p.supplier_key,
        p.supplier_name,
        p.line_amount,
        l.signed_from,
        l.days_late,
        row_number() over (
            partition by p.hospital_id, p.supplier_party_id order by p.ordered_at, p.order_id, p.line_no
        ) as place
    from purchases as p
    inner join late_suppliers as l
        on p.hospital_id = l.hospital_id and p.supplier_party_id = l.supplier_party_id
    where p.ordered_on < l.signed_from
),

alerts as (
    select
        hospital_id,
        supplier_party_id,
        min(supplier_key) as supplier_key,
        min(supplier_name) as supplier_name,
        min(signed_from) as signed_from,
        min(days_late) as days_late,
        count(*) as line_count,
        cast(sum(line_amount) as decimal(18, 2)) as gap_amount,
        array_agg(named_struct('order_id', order_id, 'line_no', line_no) order by place)
            filter (where place <= 50) as purchase_lines
    from gap_lines
    group by hospital_id, supplier_party_id
),

final as (
    select a.*, l.agreement_ids
    from alerts as a
    inner join late_agreements as l
        on a.hospital_id = l.hospital_id and a.supplier_party_id = l.supplier_party_id
)

select * from final
