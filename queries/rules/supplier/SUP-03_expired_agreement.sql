/*---
id: SUP-03
version: 1
title: {zh: 协议到期仍采购, en: Purchases after the integrity agreement expired}
target: BEN
status: stable
severity: medium
certainty: strong
legal_basis:
  - law: 医疗机构廉洁购销管理规定（以合肥市第一人民医院2021年文件为准）
    article: 签署购销合同的同时，必须签署廉洁购销协议和供应商廉洁承诺书
    effective_from: 2021-01-01
why:
  zh: 协议或承诺书到期后未续签即继续采购，等同于没有协议。
  en: Buying on after an agreement or commitment expired is buying without one.
lawful_explanations:
  - zh: 协议约定到期自动顺延
    en: The agreement renews itself by its own terms
  - zh: 续签协议尚未录入台账
    en: The renewal is not in the register yet
known_gaps:
  - zh: 有效期止按半开区间理解（止日当天不含）；前后协议之间一天的接缝不算空档
    en: The end of validity is read as half open (that day is not included); a seam of one day between two agreements is no gap
inputs:
  - {dataset: purchase_orders, max_staleness: 45d, required: [hospital_id, ordered_at]}
  - {dataset: agreements, required: [hospital_id, kind, valid_to]}
  - {dataset: relations, optional: true}
identity: [hospital_id, supplier_key]
subject: {hospital_id: hospital_id, supplier_key: supplier_key, supplier_name: supplier_name}
evidence:
  - {dataset: purchase_orders, key: [order_id, line_no], column: purchase_lines}
  - {dataset: agreements, key: [agreement_id], column: agreement_ids}
amount_at_risk: total_amount
message:
  zh: "{supplier_name} 的协议（{agreements_text}）于 {expired_on} 到期，其后无有效协议期间采购 {line_count} 行、{total_amount} 元。请先核对是否自动顺延或已续签未录入。"
  en: "The agreement of {supplier_name} ({agreements_text}) expired on {expired_on}; {line_count} lines, {total_amount} CNY bought while none was in force. Check first for automatic renewal."
---*/
with

spans as (
    select * from purchase_spans
),

cover as (
    select * from agreement_cover
    where kind in ('integrity_agreement', 'integrity_commitment')
),

intervals as (
    select * from agreement_intervals
),

-- from the day it ended to the day of the renewal, if there was one
lapses as (
    select
        c.hospital_id,
        c.supplier_party_id,
        c.kind,
        c.ends_on as lapsed_from,
        coalesce(c.renewed_on, date '9999-12-31') as lapsed_to
    from cover as c
    inner join spans as s on c.hospital_id = s.hospital_id and c.supplier_party_id = s.supplier_party_id
    where s.last_on >= c.ends_on
),

lapsed_agreements as (
    select
        l.hospital_id,
        l.supplier_party_id,
        l.lapsed_from,
        l.lapsed_to,
        i.agreement_id
    from lapses as l
    inner join intervals as i
        on
            l.hospital_id = i.hospital_id
            and l.supplier_party_id = i.supplier_party_id
            and l.kind = i.kind
            and l.lapsed_from = i.ends_on
),

-- a line that lacks both documents comes twice here, and counts once below
lines as (
    select
        p.order_id,
        p.line_no,
        p.hospital_id,
        p.supplier_party_id,
        p.supplier_key,
        p.supplier_name,
        p.line_amount,
        l.lapsed_from,
        l.agreement_id,
        dense_rank() over (
            partition by p.hospital_id, p.supplier_party_id order by p.ordered_at, p.order_id, p.line_no
        ) as place,
        row_number() over (
            partition by p.order_id, p.line_no order by l.agreement_id
        ) as agreement_no
    from purchases as p
    inner join lapsed_agreements as l
        on p.hospital_id = l.hospital_id and p.supplier_party_id = l.supplier_party_id
    where p.ordered_on >= l.lapsed_from and p.ordered_on < l.lapsed_to
),

final as (
    select
        hospital_id,
        min(supplier_key) as supplier_key,
        min(supplier_name) as supplier_name,
        min(lapsed_from) as expired_on,
        sum(case when agreement_no = 1 then 1 else 0 end) as line_count,
        cast(sum(case when agreement_no = 1 then line_amount end) as decimal(18, 2)) as total_amount,
        array_agg(named_struct('order_id', order_id, 'line_no', line_no) order by place)
            filter (where place <= 50 and agreement_no = 1) as purchase_lines,
        array_sort(array_agg(distinct agreement_id)) as agreement_ids,
        array_to_string(array_sort(array_agg(distinct agreement_id)), ', ') as agreements_text
    from lines
    group by hospital_id, supplier_party_id
)

select * from final
