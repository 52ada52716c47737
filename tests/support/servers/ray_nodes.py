"""The process that ray_cluster.py starts: the nodes of a Ray cluster, which end with it, however it ends.

Prints the address once two nodes are there. Then a line with a JSON object adds a node, with these variables in
its environment; any other line removes it again. Both are answered with "done".
"""

import json
import sys

from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}

cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
cluster.add_node(**NODE)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
added = []
for line in sys.stdin:
    order = json.loads(line)
    if isinstance(order, dict):
        added.append(cluster.add_node(**NODE, env_vars=order))
    else:
        cluster.remove_node(added.pop(), allow_graceful=False)
    cluster.wait_for_nodes()
    print("done", flush=True)
cluster.shutdown()
