/*---
id: REL-01
version: 1
title: {zh: 职工持股或任职于供应商, en: Staff own or serve a supplier}
target: BEN
status: stable
severity: high
certainty: strong
legal_basis:
  - {law: 公职人员政务处分法, article: "36", effective_from: 2020-07-01}
why:
  zh: 职工在本院供应商持股或任职，与采购存在直接利益冲突。
  en: Staff who own or serve a supplier of their own hospital have a direct conflict of interest.
lawful_explanations:
  - zh: 通过证券交易所持有上市公司少量股份
    en: A small holding in a listed company bought on the exchange
  - zh: 经批准的兼职，或已如实申报并回避
    en: A side post with permission, or declared and recused
  - zh: 登记信息滞后，实际已经退出
    en: The register is behind and the interest has ended
known_gaps:
  - zh: 只凭证件号码或申报认定，同名不算；未登记证件号的股东看不到
    en: Told by document number or declaration only, never by name; holders without a number are not seen
  - zh: 普通医护人员不当然属于监察对象，是否违规按本院制度
    en: Clinicians are not all subject to supervision law; the hospital's own rule decides
  - zh: 代持、多层持股不在此列（多层见 REL-05）
    en: Nominees and chains are not looked at here (chains in REL-05)
inputs:
  - {dataset: purchase_orders, max_staleness: 45d, required: [hospital_id, ordered_at]}
  - {dataset: staff, required: [hospital_id, id_number]}
  - {dataset: relations, required: [from_id]}
  - {dataset: suppliers, optional: true}
  - {dataset: declarations, optional: true}
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
  zh: "本院人员 {staff_id}（{staff_name}）是供应商 {supplier_name} 的{roles_zh}，其间本院向其采购 {line_count} 行、{total_amount} 元。请先核对是否已申报回避或已经退出。"
  en: "Staff {staff_id} is {roles_en} of {supplier_name}; the hospital bought {line_count} lines, {total_amount} CNY from it meanwhile. Check first declaration, recusal and whether the interest had ended."
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

-- the person's own party, told by document number
registered as (
    select
        s.staff_id, s.hospital_id, s.staff_name, s.left_on,
        i.company_party_id, i.role_zh, i.role_en, i.share_percent, i.may_be_listed,
        i.since, i.until, i.relation_id, i.supplier_id, null as declaration_id
    from people as s
    inner join registered_interests as i on s.staff_party_id = i.holder_party_id
),

-- what the person declared for himself
declared as (
    select
        s.staff_id, s.hospital_id, s.staff_name, s.left_on,
        d.company_party_id, '申报的股东或任职人' as role_zh, 'declared holder or officer' as role_en, d.share_percent,
        d.share_percent is not null and strpos(d.company_name, '股份有限公司') > 0 as may_be_listed,
        null as since, null as until, null as relation_id, null as supplier_id, d.declaration_id
    from people as s
    inner join declarations as d on s.staff_id = d.staff_id
    where
        d.company_party_id is not null
        and (d.relation = 'self' or (d.relative_name is null and d.relative_id_number is null))
        and (d.declared_on is null or d.declared_on <= $as_of)
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
        array_sort(array_agg(distinct relation_id)) as relation_ids,
        array_sort(array_agg(distinct register_id)) as register_ids,
        array_sort(array_agg(distinct declaration_id)) as declaration_ids
    from lines
    group by staff_id, hospital_id, supplier_key
)

select * from final
