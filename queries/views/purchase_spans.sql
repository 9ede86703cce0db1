/*---
name: purchase_spans
title: {zh: 医院与供应商的采购起止, en: First and last purchase of each hospital from each supplier}
---*/
-- One pass over the order lines that answers for most suppliers, so that only doubtful ones are read again.
select
    hospital_id,
    supplier_party_id,
    local_date(min(ordered_at)) as first_on,
    local_date(max(ordered_at)) as last_on
from purchases
where supplier_party_id is not null
group by hospital_id, supplier_party_id
