// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gunyah resource manager: interrupts of resources
 *
 * The resource manager tells by which interrupt of the GIC a resource makes itself
 * heard. It comes by the interrupt controller that those of the message queues come
 * by, and is mapped there while somebody uses the resource.
 */

#include <linux/device.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/of.h>
#include <linux/of_irq.h>

#include <dt-bindings/interrupt-controller/arm-gic.h>

#include "rsc_mgr.h"

/* Interrupts of a GIC that all CPUs share: SPIs, and ESPIs where it has them */
#define GH_RM_VIRQ_SPI_FIRST	32
#define GH_RM_VIRQ_SPI_LAST	1019
#define GH_RM_VIRQ_ESPI_FIRST	4096
#define GH_RM_VIRQ_ESPI_LAST	5119

/**
 * gh_rm_virq_spec() - The interrupt specifier of a resource's interrupt
 * @virq: number in the GIC, from struct gh_rm_hyp_resource
 * @spec: set to type, number and flags, as the GIC's devicetree binding has them
 *
 * The hypervisor raises its interrupts as edges.
 *
 * Context: Any.
 * Return: 0; -ENOENT if the resource has no interrupt; -EINVAL if it is one of a
 * CPU's own, an LPI, or no interrupt at all.
 */
int gh_rm_virq_spec(u32 virq, u32 spec[GH_RM_VIRQ_SPEC_CELLS])
{
	switch (virq) {
	case 0:
	case GH_RM_VIRQ_NONE:
		return -ENOENT;
	case GH_RM_VIRQ_SPI_FIRST ... GH_RM_VIRQ_SPI_LAST:
		spec[0] = GIC_SPI;
		spec[1] = virq - GH_RM_VIRQ_SPI_FIRST;
		break;
	case GH_RM_VIRQ_ESPI_FIRST ... GH_RM_VIRQ_ESPI_LAST:
		spec[0] = GIC_ESPI;
		spec[1] = virq - GH_RM_VIRQ_ESPI_FIRST;
		break;
	default:
		return -EINVAL;
	}
	spec[2] = IRQ_TYPE_EDGE_RISING;

	return 0;
}

/**
 * gh_rm_map_virq() - Make a resource's interrupt one of Linux's
 * @rm: the resource manager
 * @virq: number in the GIC, from struct gh_rm_hyp_resource
 *
 * Context: Process context. May sleep.
 * Return: the interrupt for request_irq(), to be given back by gh_rm_unmap_virq();
 * 0 if the resource has none; -EINVAL if it has one that no resource can have;
 * -ENXIO if there is no interrupt controller; -ENOMEM.
 */
int gh_rm_map_virq(struct gh_rm *rm, u32 virq)
{
	struct irq_fwspec fwspec = { .param_count = GH_RM_VIRQ_SPEC_CELLS };
	struct device_node *parent;
	unsigned int irq;
	int ret;

	ret = gh_rm_virq_spec(virq, fwspec.param);
	if (ret)
		return ret == -ENOENT ? 0 : ret;

	parent = of_irq_find_parent(gh_rm_device(rm)->of_node);
	if (!parent)
		return -ENXIO;
	fwspec.fwnode = of_node_to_fwnode(parent);
	irq = irq_create_fwspec_mapping(&fwspec);
	of_node_put(parent);

	/* It does not tell why, but that controller has taken others: for want of memory. */
	return irq ? irq : -ENOMEM;
}

/**
 * gh_rm_unmap_virq() - The end of gh_rm_map_virq()
 * @rm: the resource manager
 * @irq: what that returned; 0 is nothing to unmap
 *
 * Context: Process context. May sleep.
 */
void gh_rm_unmap_virq(struct gh_rm *rm, int irq)
{
	irq_dispose_mapping(irq);
}
