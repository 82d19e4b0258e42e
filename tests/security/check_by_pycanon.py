"""Checks record files with pyCANON, in an environment of its own: `check_by_pycanon.py FILE…`.

Its k counts rows, which is less than what is promised (people); its l is of each sensitive column. Its recursive and
entropy l-diversity are not used.
"""

import sys

import pandas
from pycanon import anonymity

GROUP = ["area", "age", "sex", "ethnic_group", "shift", "month"]
K, L = 10, 2


def main(files: list[str]) -> int:
    failed = 0
    for name in files:
        rows = pandas.read_csv(name, dtype=str, keep_default_na=False).reset_index(drop=True)
        k = anonymity.k_anonymity(rows, GROUP)
        diversity = {column: anonymity.l_diversity(rows, GROUP, [column]) for column in ("power", "disposal")}
        good = k >= K and min(diversity.values()) >= L
        failed += not good
        print(
            f"{name.rsplit('/', 1)[-1]:<36} {len(rows):>6} rows  k {k:>3}  l {diversity}  {'' if good else 'TOO FEW'}"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
