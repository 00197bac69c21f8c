select
    location_id,
    borough,
    zone,
    -- Where green taxis pick up.
    replace(service_zone, 'Boro', 'Green') as service_zone,
    is_airport,
    is_congestion_zone
from {{ source('taxi', 'zones') }}
