/*---
id: REL-02
version: 1
title: {zh: 亲属持股或任职于供应商, en: A relative of staff owns or serves a supplier}
target: BEN
status: stable
severity: high
certainty: strong
legal_basis:
  - {law: 政府采购法实施条例, article: "9", effective_from: 2015-03-01}
  - {law: 公职人员政务处分法, article: "33", effective_from: 2020-07-01}
why:
  zh: 职工的近亲属在本院供应商持股或任职，职工应当申报并回避。
  en: Where a relative of staff owns or serves a supplier of the hospital, the person must declare it and stand aside.
lawful_explanations:
  - zh: 已如实申报，且未参与相关采购
    en: It was declared and the person took no part in the purchases
  - zh: 亲属仅为普通员工，无经营影响
    en: The relative is a plain employee without influence
  - zh: 通过证券交易所持有上市公司少量股份
    en: A small holding in a listed company bought on the exchange
known_gaps:
  - zh: 亲属只凭证件号码认定，同名不算；未申报的亲属看不到
    en: Relatives are told by document number only, never by name; undeclared ones are not seen
  - zh: 申报中的企业不带起止日期，视为持续
    en: A declared company carries no dates and is taken to last
inputs:
  - {dataset: purchase_orders, max_staleness: 45d, required: [hospital_id, ordered_at]}
  - {dataset: staff, required: [hospital_id]}
  - {dataset: declarations, required: [staff_id]}
  - {dataset: relations, required: [from_id]}
  - {dataset: suppliers, optional: true}
params: {listed_share_percent: "5.0"}
identity: [staff_id, hospital_id, supplier_key]
subject: {hospital_id: hospital_id, supplier_key: supplier_key, supplier_name: supplier_name, staff_id: staff_id}
evidence:
  - {dataset: purchase_orders, key: [order_id, line_no], column: purchase_lines}
  - {dataset: staff, key: [staff_id], column: staff_id}
  - {dataset: relations, key: [relation_id], column: relation_ids}
  - {dataset: suppliers, key: [supplier_id], column: register_ids}
  - {dataset: declarations, key: [declaration_id], column: declaration_ids}
amount_at_risk: total_amount
message:
  zh: "本院人员 {staff_id}（{staff_name}）的亲属是供应商 {supplier_name} 的{roles_zh}，其间本院向其采购 {line_count} 行、{total_amount} 元。请先核对是否已申报并回避。"
  en: "A relative of staff {staff_id} is {roles_en} of {supplier_name}; the hospital bought {line_count} lines, {total_amount} CNY from it meanwhile. Check first declaration and recusal."
---*/
with

spans as (
    select * from purchase_spans
),

people as (
    select staff_id, hospital_id, name as staff_name, staff_party_id, left_on
    from staff
    where hospital_id is not null
),

registered_interests as (
    select * from company_interests
),

declared_by_now as (
    select * from declarations
    where declared_on is null or declared_on <= $as_of
),

-- relatives whom the person declared with a document number
declared_relatives as (
    select
        s.staff_id, s.hospital_id, s.staff_name, s.left_on,
        d.relative_party_id, d.declaration_id, null as kin_relation_id, null as since, null as until
    from people as s
    inner join declared_by_now as d on s.staff_id = d.staff_id
    where d.relative_party_id is not null and d.relative_party_id <> coalesce(s.staff_party_id, '')
),

kinships as (
    select from_party_id as person, to_party_id as relative, relation_id, valid_from, valid_to
    from relations
    where relation in ('spouse', 'parent', 'child', 'sibling', 'other_relative')
    union all
    select to_party_id, from_party_id, relation_id, valid_from, valid_to
    from relations
    where relation in ('spouse', 'parent', 'child', 'sibling', 'other_relative')
),

-- relatives whom a register tells
registered_relatives as (
    select
        s.staff_id, s.hospital_id, s.staff_name, s.left_on,
        k.relative as relative_party_id, null as declaration_id, k.relation_id as kin_relation_id,
        k.valid_from as since, k.valid_to as until
    from people as s
    inner join kinships as k on s.staff_party_id = k.person
),

relatives as (
    select * from declared_relatives
    union all
    select * from registered_relatives
),

registered as (
    select
        r.staff_id, r.hospital_id, r.staff_name, r.left_on,
        i.company_party_id, i.role_zh, i.role_en, i.share_percent, i.may_be_listed,
        greatest(i.since, r.since) as since, least(i.until, r.until) as until,
        i.relation_id, r.kin_relation_id, i.supplier_id, r.declaration_id
    from relatives as r
    inner join registered_interests as i on r.relative_party_id = i.holder_party_id
),

-- the relative's company as the person declared it
declared as (
    select
        s.staff_id, s.hospital_id, s.staff_name, s.left_on,
        d.company_party_id, '申报的股东或任职人' as role_zh, 'declared holder or officer' as role_en, d.share_percent,
        d.share_percent is not null and strpos(d.company_name, '股份有限公司') > 0 as may_be_listed,
        null as since, null as until, null as relation_id, null as kin_relation_id, null as supplier_id,
        d.declaration_id
    from people as s
    inner join declared_by_now as d on s.staff_id = d.staff_id
    where
        d.company_party_id is not null
        and coalesce(d.relation, '') <> 'self'
        and (d.relative_name is not null or d.relative_id_number is not null)
),

all_interests as (
    select * from registered
    union all
    select * from declared
),

-- shares of a listed company below the line are anybody's
staff_interests as (
    select * from all_interests
    where not (may_be_listed and share_percent < $listed_share_percent)
),

-- told only where the interest and a purchase of the same hospital meet in time
interests_with_purchases as (
    select i.*
    from staff_interests as i
    inner join spans as s on i.hospital_id = s.hospital_id and i.company_party_id = s.supplier_party_id
    where
        (i.since is null or i.since <= s.last_on)
        and (i.until is null or i.until > s.first_on)
        and (i.left_on is null or i.left_on > s.first_on)
),

-- a line under two interests comes twice here, and counts once below
lines as (
    select
        i.staff_id,
        i.staff_name,
        i.role_zh,
        i.role_en,
        i.relation_id,
        i.kin_relation_id,
        i.supplier_id as register_id,
        i.declaration_id,
        p.order_id,
        p.line_no,
        p.hospital_id,
        p.supplier_key,
        p.supplier_name,
        p.line_amount,
        dense_rank() over (
            partition by i.staff_id, p.hospital_id, i.company_party_id
            order by p.ordered_at, p.order_id, p.line_no
        ) as place,
        row_number() over (
            partition by i.staff_id, p.order_id, p.line_no
            order by i.relation_id, i.supplier_id, i.declaration_id
        ) as interest_no
    from purchases as p
    inner join interests_with_purchases as i
        on p.hospital_id = i.hospital_id and p.supplier_party_id = i.company_party_id
    where
        (i.since is null or p.ordered_on >= i.since)
        and (i.until is null or p.ordered_on < i.until)
        and (i.left_on is null or p.ordered_on < i.left_on)
),

final as (
    select
        staff_id,
        hospital_id,
        supplier_key,
        min(supplier_name) as supplier_name,
        min(staff_name) as staff_name,
        array_to_string(array_sort(array_agg(distinct role_zh)), '、') as roles_zh,
        array_to_string(array_sort(array_agg(distinct role_en)), ', ') as roles_en,
        sum(case when interest_no = 1 then 1 else 0 end) as line_count,
        cast(sum(case when interest_no = 1 then line_amount end) as decimal(18, 2)) as total_amount,
        array_agg(named_struct('order_id', order_id, 'line_no', line_no) order by place)
            filter (where place <= 50 and interest_no = 1) as purchase_lines,
        array_concat(array_sort(array_agg(distinct relation_id)), array_sort(array_agg(distinct kin_relation_id))) as relation_ids,
        array_sort(array_agg(distinct register_id)) as register_ids,
        array_sort(array_agg(distinct declaration_id)) as declaration_ids
    from lines
    group by staff_id, hospital_id, supplier_key
)

select * from final
