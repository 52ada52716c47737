"""The process that ray_cluster.py starts: the nodes of a Ray cluster, which end with it, however it ends.

Prints the address once two nodes are there. Then a line with a JSON object adds a node, with these variables in
its environment; any other line removes it again. Both are answered with "done".
"""

import json
import sys

from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}

# Nobody looks at it, and no machine is added by itself: a process less.
cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False, "no_monitor": True})
cluster.add_node(**NODE)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
added = []
for line in sys.stdin:
    order = json.loads(line)
    if isinstance(order, dict):
        added.append(cluster.add_node(**NODE, env_vars=order))
    else:
        # It says goodbye: one that is killed is missed only after 15 seconds.
        cluster.remove_node(added.pop())
    cluster.wait_for_nodes()
    print("done", flush=True)
cluster.shutdown()
