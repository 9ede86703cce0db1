/*---
id: COL-04
version: 1
title: {zh: 同一人办理投标事宜, en: One agent for several bidders}
target: MAN
status: stable
severity: high
certainty: strong
legal_basis:
  - {law: 招标投标法实施条例, article: 第40条第（二）项, effective_from: 2012-02-01}
why:
  zh: 不同投标人委托同一单位或个人办理投标事宜，视为串通投标；联系电话相同是其直接痕迹。
  en: Several bidders who let one unit or person handle their bids are deemed to collude; one contact number is its plain trace.
lawful_explanations:
  - zh: 登记的是代理机构或平台客服的电话
    en: The number noted is the agency's or the platform's
  - zh: 号码录入错误
    en: The number was mistyped
known_gaps:
  - zh: 只比较电话，同名联系人不算同一人
    en: Only numbers are compared; the same name is not the same person
  - zh: 少于 11 位的号码（分机、短号、客服热线）不比较
    en: Numbers of fewer than 11 digits (extensions, hot lines) are not compared
inputs:
  - {dataset: bids, required: [tender_id, contact_phone]}
  - {dataset: tenders, optional: true}
  - {dataset: suppliers, optional: true}
params: {suppliers_max: 20}
identity: [tender_id]
subject: {hospital_id: hospital_id, tender_id: tender_id, supplier_key: supplier_key, supplier_name: supplier_name, staff_id: staff_id}
evidence:
  - {dataset: bids, key: [bid_id], column: bid_ids}
amount_at_risk: won_amount
message:
  zh: "项目 {tender_id}（{title}）有 {bidder_count} 家投标人留同一联系电话：{bidders_text}。请先核对是否为代理机构电话。"
  en: "In tender {tender_id} ({title}) {bidder_count} bidders give one contact number: {bidders_text}. Check first whether it is the agency's."
---*/
with

bids_made as (
    select *, norm_phone(contact_phone) as sign
    from bidders
    where contact_phone is not null
),

-- hot lines, extensions and masked numbers tell no person
with_personal_number as (
    select * from bids_made
    where sign is not null and strpos(contact_phone, '*') = 0
),

agency_phones as (
    select norm_phone(phone) as sign
    from suppliers
    where kind = 'agency' and phone is not null
),

-- the agency answers for its bidders
without_agency as (
    select b.* from with_personal_number as b
    where not exists (select 1 from agency_phones as a where a.sign = b.sign)
),

-- a number that many suppliers give is a service desk
service_desks as (
    select sign
    from without_agency
    group by sign
    having count(distinct supplier_party_id) > $suppliers_max
),

without_service_desk as (
    select b.* from without_agency as b
    where not exists (select 1 from service_desks as d where d.sign = b.sign)
),

-- one value in the hands of several bidders of one tender
shared as (
    select tender_id, sign
    from without_service_desk
    group by tender_id, sign
    having count(distinct supplier_party_id) >= 2
),

sharing_bids as (
    select b.*
    from without_service_desk as b
    inner join shared as s on b.tender_id = s.tender_id and b.sign = s.sign
),

final as (
    select
        tender_id,
        min(hospital_id) as hospital_id,
        min(title) as title,
        min(staff_id) as staff_id,
        first_value(supplier_key order by coalesce(is_winner, false) desc, supplier_key, bid_id) as supplier_key,
        first_value(supplier_name order by coalesce(is_winner, false) desc, supplier_key, bid_id) as supplier_name,
        count(distinct supplier_party_id) as bidder_count,
        array_to_string(array_sort(array_agg(distinct supplier_name)), '、') as bidders_text,
        max(case when is_winner then amount end) as won_amount,
        array_agg(bid_id order by bid_id) as bid_ids
    from sharing_bids
    group by tender_id
)

select * from final
