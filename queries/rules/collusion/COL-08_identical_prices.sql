/*---
id: COL-08
version: 1
title: {zh: 报价异常一致, en: Identical bid prices}
target: MAN
status: stable
severity: high
certainty: strong
legal_basis:
  - {law: 招标投标法实施条例, article: 第40条第（四）项, effective_from: 2012-02-01}
why:
  zh: 不同投标人的报价完全相同，属于投标文件异常一致。
  en: Bids of several bidders with the very same total are abnormally alike.
lawful_explanations:
  - zh: 政府定价、挂网价或最高限价决定了报价
    en: A government, listed or ceiling price set the bid
  - zh: 标的单一、金额很小，取整后巧合
    en: A small, simple purchase where rounding makes bids meet
known_gaps:
  - zh: 数据中没有分项报价，只比较总价
    en: The data have no prices by item; only totals are compared
  - zh: 等于项目预算的报价视为按最高限价报出，不计
    en: Bids equal to the budget are taken as bids at the ceiling and left out
inputs:
  - {dataset: bids, required: [tender_id, amount]}
  - {dataset: tenders, optional: true}
identity: [tender_id]
subject: {hospital_id: hospital_id, tender_id: tender_id, supplier_key: supplier_key, supplier_name: supplier_name, staff_id: staff_id}
evidence:
  - {dataset: bids, key: [bid_id], column: bid_ids}
amount_at_risk: won_amount
message:
  zh: "项目 {tender_id}（{title}）有 {bidder_count} 家投标人报价完全相同：{bidders_text}。请先核对是否由限价或挂网价决定。"
  en: "In tender {tender_id} ({title}) {bidder_count} bidders bid the very same amount: {bidders_text}. Check first for a ceiling or listed price."
---*/
with

priced_bids as (
    select *, amount as sign
    from bidders
    where amount > 0
),

-- everyone may bid at the ceiling
without_ceiling as (
    select * from priced_bids
    where budget is null or amount <> budget
),

-- one value in the hands of several bidders of one tender
shared as (
    select tender_id, sign
    from without_ceiling
    group by tender_id, sign
    having count(distinct supplier_party_id) >= 2
),

sharing_bids as (
    select b.*
    from without_ceiling as b
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
