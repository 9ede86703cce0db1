/*---
name: company_interests
title: {zh: 持股与任职, en: Who owns or serves which company}
---*/
-- Registered holdings and posts, dated; the holder is a person or a company told by a document number or a register.
with

roles as (
    select * from (values
        ('legal_representative', '法定代表人', 'legal representative'),
        ('shareholder', '股东', 'shareholder'),
        ('director', '董事', 'director'),
        ('supervisor', '监事', 'supervisor'),
        ('manager', '高级管理人员', 'manager'),
        ('beneficial_owner', '实际控制人', 'beneficial owner'),
        ('agent', '代理人', 'agent'),
        ('employee', '员工', 'employee')
    ) as r (relation, role_zh, role_en)
),

registered as (
    select
        from_party_id as holder_party_id,
        to_party_id as company_party_id,
        relation,
        share_percent,
        to_name as company_name,
        valid_from as since,
        valid_to as until,
        relation_id,
        null as supplier_id
    from relations
    where from_party_id is not null and to_party_id is not null
),

heads_of_suppliers as (
    select
        legal_representative_party_id as holder_party_id,
        supplier_party_id as company_party_id,
        'legal_representative' as relation,
        null as share_percent,
        name as company_name,
        null as since,
        null as until,
        null as relation_id,
        supplier_id
    from suppliers
    where legal_representative_party_id is not null and supplier_party_id is not null
),

interests as (
    select * from registered
    union all
    select * from heads_of_suppliers
),

final as (
    select
        i.*,
        r.role_zh,
        r.role_en,
        -- a small holding in a company limited by shares may have been bought on the exchange
        i.relation = 'shareholder'
        and i.share_percent is not null
        and strpos(i.company_name, '股份有限公司') > 0 as may_be_listed
    from interests as i
    inner join roles as r on i.relation = r.relation
)

select * from final
