package person_test

import (
	"fmt"
	"testing"

	"github.com/warmgate/warmgate/flows/person"
)

func TestFamilyNames(t *testing.T) {
	for _, x := range []struct{ name, latin, want string }{
		{"王小明", "", "[WANG 王]"}, {"欧阳洋", "", "[OUYANG 欧阳]"}, {"样例甲乙", "YANGLI JIAYI", "[YANGLI JIAYI]"}, {"吕布", "", "[LU 吕]"},
		{"MEIER ANNA", "", "[MEIER ANNA]"}, {"阿迪力·艾力", "", "[阿]"}, {"", "", "[]"},
	} {
		if got := fmt.Sprint(person.FamilyNames(x.name, x.latin)); got != x.want {
			t.Errorf("%s %s: %s", x.name, x.latin, got)
		}
	}
}
