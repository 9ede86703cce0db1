/*---
id: SUP-04
version: 1
title: {zh: 不良记录期内采购, en: Purchases from a supplier listed for bribery}
target: BEN
status: stable
severity: high
certainty: strong
legal_basis:
  - law: 关于建立医药购销领域商业贿赂不良记录的规定（国卫法制发〔2013〕50号）
    article: 列入之日起两年内不得采购；五年内两次列入的，全国公立医疗机构两年内不得采购
    effective_from: 2014-03-01
why:
  zh: 列入商业贿赂不良记录的企业，本省公立医院两年内不得采购；五年内两次以上列入的，全国禁止。
  en: A company listed for bribery may not sell to public hospitals of that province for two years; listed twice within five years, nowhere in the country.
lawful_explanations:
  - zh: 列入前已签合同的履行，或已依法移出、撤销列入
    en: Delivery under a contract signed before the listing, or a listing that was lifted
  - zh: 无替代的急抢救药品，经批准采购
    en: An irreplaceable emergency drug bought with approval
known_gaps:
  - zh: 未同步机构行政区划的医院，只能判断全国范围的禁止
    en: For a hospital without a region only the nationwide ban can be told
  - zh: 其他省份的扣分措施不在此列
    en: The deduction of points in other provinces is not looked at
inputs:
  - {dataset: purchase_orders, max_staleness: 45d, required: [hospital_id, ordered_at]}
  - {dataset: credit_records, required: [record_type, issued_on]}
  - {dataset: hospitals, required: [region_code]}
  - {dataset: relations, optional: true}
params: {ban_years: 2, repeat_years: 5}
identity: [hospital_id, supplier_key]
subject: {hospital_id: hospital_id, supplier_key: supplier_key, supplier_name: supplier_name}
evidence:
  - {dataset: purchase_orders, key: [order_id, line_no], column: purchase_lines}
  - {dataset: credit_records, key: [record_id], column: record_ids}
  - {dataset: relations, key: [relation_id], column: relation_ids}
amount_at_risk: total_amount
message:
  zh: "{supplier_name}（或其总公司、分支机构）自 {listed_on} 列入商业贿赂不良记录，禁止期内仍采购 {line_count} 行、{total_amount} 元（{scope_zh}）。请先核对是否属列入前合同的履行。"
  en: "{supplier_name}, or its parent or branch, was listed for bribery on {listed_on}; {line_count} lines, {total_amount} CNY bought within the ban ({scope_en}). Check first for contracts signed before."
---*/
with

spans as (
    select * from purchase_spans
),

branches as (
    select * from branch_links
),

listings as (
    select record_id, supplier_party_id, left(region_code, 2) as province, issued_on, expires_on
    from credit_records
    where
        record_type = 'bribery_blacklist'
        and supplier_party_id is not null
        and issued_on <= $as_of
),

-- a new name or a branch is no way out: the listing holds for parent and branches alike
listings_seen_through as (
    select record_id, supplier_party_id, province, issued_on, expires_on, null as relation_id from listings
    union all
    select l.record_id, b.other_party_id, l.province, l.issued_on, l.expires_on, b.relation_id
    from listings as l
    inner join branches as b on l.supplier_party_id = b.party_id
    where
        (b.since is null or b.since < l.issued_on + cast($ban_years || ' years' as interval))
        and (b.until is null or b.until > l.issued_on)
),

-- the second listing within five years bans nationwide
repeated as (
    select distinct later.supplier_party_id, later.record_id, earlier.record_id as earlier_record_id
    from listings_seen_through as later
    inner join listings_seen_through as earlier on later.supplier_party_id = earlier.supplier_party_id
    where
        later.record_id <> earlier.record_id
        and later.issued_on >= earlier.issued_on
        and later.issued_on <= earlier.issued_on + cast($repeat_years || ' years' as interval)
        -- one listing entered twice is one
        and (later.issued_on <> earlier.issued_on or later.province is distinct from earlier.province)
),

bans as (
    select
        l.supplier_party_id,
        l.record_id,
        r.earlier_record_id,
        l.relation_id,
        l.province,
        r.record_id is not null as is_nationwide,
        l.issued_on as banned_from,
        coalesce(l.expires_on, l.issued_on + cast($ban_years || ' years' as interval)) as banned_to
    from listings_seen_through as l
    left join repeated as r on l.supplier_party_id = r.supplier_party_id and l.record_id = r.record_id
),

bans_at_hospitals as (
    select s.hospital_id, b.*
    from spans as s
    inner join bans as b on s.supplier_party_id = b.supplier_party_id
    inner join hospitals as h on s.hospital_id = h.hospital_id
    where
        s.last_on >= b.banned_from
        and s.first_on < b.banned_to
        and (b.is_nationwide or left(h.region_code, 2) = b.province)
),

-- a line under two listings comes twice here, and counts once below
lines as (
    select
        p.order_id,
        p.line_no,
        p.hospital_id,
        p.supplier_party_id,
        p.supplier_key,
        p.supplier_name,
        p.line_amount,
        b.record_id,
        b.earlier_record_id,
        b.relation_id,
        b.is_nationwide,
        b.banned_from,
        dense_rank() over (
            partition by p.hospital_id, p.supplier_party_id order by p.ordered_at, p.order_id, p.line_no
        ) as place,
        row_number() over (
            partition by p.order_id, p.line_no order by b.record_id, b.earlier_record_id, b.relation_id
        ) as listing_no
    from purchases as p
    inner join bans_at_hospitals as b
        on p.hospital_id = b.hospital_id and p.supplier_party_id = b.supplier_party_id
    where p.ordered_on >= b.banned_from and p.ordered_on < b.banned_to
),

alerts as (
    select
        hospital_id,
        min(supplier_key) as supplier_key,
        min(supplier_name) as supplier_name,
        min(banned_from) as listed_on,
        bool_or(is_nationwide) as is_nationwide,
        sum(case when listing_no = 1 then 1 else 0 end) as line_count,
        cast(sum(case when listing_no = 1 then line_amount end) as decimal(18, 2)) as total_amount,
        array_agg(named_struct('order_id', order_id, 'line_no', line_no) order by place)
            filter (where place <= 50 and listing_no = 1) as purchase_lines,
        array_concat(array_sort(array_agg(distinct record_id)), array_sort(array_agg(distinct earlier_record_id))) as record_ids,
        array_sort(array_agg(distinct relation_id)) as relation_ids
    from lines
    group by hospital_id, supplier_party_id
),

final as (
    select
        *,
        case when is_nationwide then '五年内两次列入，全国禁止' else '本省列入' end as scope_zh,
        case when is_nationwide then 'listed twice within five years, nationwide' else 'listed in this province' end
            as scope_en
    from alerts
)

select * from final
