/*---
id: COL-03
version: 1
title: {zh: 保证金出自同一账户, en: Deposits paid from the same account}
target: MAN
status: stable
severity: high
certainty: statutory
legal_basis:
  - {law: 招标投标法实施条例, article: 第40条第（六）项, effective_from: 2012-02-01}
why:
  zh: 不同投标人的投标保证金从同一单位或个人的账户转出，视为串通投标。
  en: Deposits of several bidders paid from the account of one unit or person are deemed collusion.
lawful_explanations:
  - zh: 登记的是代理机构收款账户，而不是转出账户
    en: The account noted is the agency's that received the deposit, not the one that paid
  - zh: 由同一担保机构或银行出具保函
    en: The same guarantor or bank issued the guarantees
known_gaps:
  - zh: 账号有遮挡（*）的不比较
    en: Masked account numbers are not compared
inputs:
  - {dataset: bids, required: [tender_id, deposit_account]}
  - {dataset: tenders, optional: true}
  - {dataset: suppliers, optional: true}
params: {suppliers_max: 20}
identity: [tender_id]
subject: {hospital_id: hospital_id, tender_id: tender_id, supplier_key: supplier_key, supplier_name: supplier_name, staff_id: staff_id}
evidence:
  - {dataset: bids, key: [bid_id], column: bid_ids}
amount_at_risk: won_amount
message:
  zh: "项目 {tender_id}（{title}）有 {bidder_count} 家投标人的保证金出自同一账户：{bidders_text}。请先核对登记的是否为收款账户。"
  en: "In tender {tender_id} ({title}) {bidder_count} bidders paid their deposits from one account: {bidders_text}. Check first whether the account noted is the receiver's."
---*/
with

bids_made as (
    select *, norm_account(deposit_account) as sign
    from bidders
    where deposit_account is not null
),

-- a masked number is shared by many accounts
with_whole_number as (
    select * from bids_made
    where sign is not null and strpos(deposit_account, '*') = 0
),

agency_accounts as (
    select norm_account(bank_account) as sign
    from suppliers
    where kind = 'agency' and bank_account is not null
),

-- the agency's account receives deposits
without_agency as (
    select b.* from with_whole_number as b
    where not exists (select 1 from agency_accounts as a where a.sign = b.sign)
),

-- an account noted for many suppliers is one that receives
receiving_accounts as (
    select sign
    from without_agency
    group by sign
    having count(distinct supplier_party_id) > $suppliers_max
),

without_receiving as (
    select b.* from without_agency as b
    where not exists (select 1 from receiving_accounts as r where r.sign = b.sign)
),

-- one value in the hands of several bidders of one tender
shared as (
    select tender_id, sign
    from without_receiving
    group by tender_id, sign
    having count(distinct supplier_party_id) >= 2
),

sharing_bids as (
    select b.*
    from without_receiving as b
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
